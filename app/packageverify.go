package app

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/fault"
)

// VerifiedPackage is what a check of a backup found.
type VerifiedPackage struct {
	PackageInfo
	File        string              `json:"file"`
	Against     string              `json:"against"` // "what it restores to", or the key of the live package
	Errors      []backup.Problem    `json:"errors"`
	Warnings    []backup.Problem    `json:"warnings"`
	Differences []backup.Difference `json:"differences"`
	CheckedAt   time.Time           `json:"checked_at"`
}

// OK reports whether the archive restores, and as what it says.
func (v *VerifiedPackage) OK() bool { return len(v.Errors) == 0 && len(v.Differences) == 0 }

// VerifyBackup proves a backup: it is restored into a database made for that and thrown away, written again, and the two
// archives are compared, every byte of every file. No other database is touched.
func VerifyBackup(ctx context.Context, path string, l backup.Limits, progress Progress) (out *VerifiedPackage, err error) {
	temp, err := os.MkdirTemp("", "lectern-verify-")
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "temporary folder", "cannot be made: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	scratch, err := Open(ctx, Config{Data: temp, Write: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	out = verified(path, "what it restores to")
	plan, done, err := scratch.readBackup(ctx, path, l, false, progress, &out.PackageInfo)
	if err != nil {
		out.Errors = append(out.Errors, problemsOf(err)...)
		return out, err
	}
	defer func() { err = errors.Join(err, done()) }()
	r, err := scratch.RestorePackage(ctx, path, PackageRestore{Limits: l, Progress: progress})
	if err != nil {
		out.Errors = append(out.Errors, r.Errors...)
		return out, err
	}
	out.Key, out.Entities, out.Media, out.Warnings = plan.Key, r.Entities, r.Media, append(out.Warnings, r.Warnings...)
	err = scratch.against(ctx, out, plan, r.Key, temp, l, progress)
	return out, err
}

// VerifyAgainst compares a backup with a learning package of the store, as that is now.
func (a *App) VerifyAgainst(ctx context.Context, path, key string, l backup.Limits, progress Progress) (out *VerifiedPackage, err error) {
	if err := a.may(ctx, "VerifyAgainst", thePackage(key)); err != nil {
		return out, err
	}
	temp, err := os.MkdirTemp("", "lectern-verify-")
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "temporary folder", "cannot be made: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	out = verified(path, key)
	plan, done, err := a.readBackup(ctx, path, l, false, progress, &out.PackageInfo)
	if err != nil {
		out.Errors = append(out.Errors, problemsOf(err)...)
		return out, err
	}
	defer func() { err = errors.Join(err, done()) }()
	out.Key, out.Entities, out.Warnings = plan.Key, plan.Entities(), append(out.Warnings, plan.Warnings...)
	err = a.against(ctx, out, plan, key, temp, l, progress)
	return out, err
}

func verified(path, against string) *VerifiedPackage {
	return &VerifiedPackage{File: path, Against: against, Errors: []backup.Problem{}, Warnings: []backup.Problem{},
		Differences: []backup.Difference{}, CheckedAt: time.Now().UTC()}
}

// against writes a package to a folder and compares.
func (a *App) against(ctx context.Context, out *VerifiedPackage, plan *backup.Plan, key, temp string, l backup.Limits, progress Progress) error {
	path := temp + "/again.zip"
	again, err := a.backup(ctx, key, path, "", false, progress)
	if err != nil {
		return err
	}
	if out.Media == 0 {
		out.Media = again.Media
	}
	if l.File == 0 && plan.Lectern {
		l.File = 2 << 30
	}
	other, done, err := a.readBackup(ctx, path, l, false, progress, &PackageInfo{})
	if err != nil {
		return err
	}
	progress.begin("comparing")
	out.Differences, err = backup.Compare(ctx, plan, other)
	return errors.Join(err, done())
}
