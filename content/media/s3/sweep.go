package s3

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/openlectern/lectern/content/media"
)

// list calls fn for every object directly below a folder whose name is a digest, in order, until it returns false.
func (b *Bucket) list(ctx context.Context, in string, fn func(digest string, info minio.ObjectInfo) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // ends the client's listing
	for info := range b.client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: in}) {
		if info.Err != nil {
			return b.unusable(ctx, info.Err)
		}
		if digest := strings.TrimPrefix(info.Key, in); media.IsDigest(digest) && !fn(digest, info) {
			return nil
		}
	}
	return ctx.Err()
}

// Packages implements [media.Sweeper]. Folders with other names than a UUID's are not ours.
func (b *Bucket) Packages(ctx context.Context) ([]uuid.UUID, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	in := b.prefix + folder
	var out []uuid.UUID
	for info := range b.client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: in}) {
		if info.Err != nil {
			return nil, b.unusable(ctx, info.Err)
		}
		name, isFolder := strings.CutSuffix(strings.TrimPrefix(info.Key, in), "/")
		if id, err := uuid.Parse(name); err == nil && isFolder && id.String() == name {
			out = append(out, id)
		}
	}
	return out, ctx.Err()
}

// Old implements [media.Sweeper].
func (b *Bucket) Old(ctx context.Context, pkg uuid.UUID, age media.Age) ([]string, error) {
	var out []string
	err := b.list(ctx, b.folder(pkg), func(digest string, info minio.ObjectInfo) bool {
		if b.isOld(info, age) {
			out = append(out, digest)
		}
		return true
	})
	return out, err
}

// isOld compares with the store's clock, which may be a little ahead of ours.
func (b *Bucket) isOld(info minio.ObjectInfo, age media.Age) bool {
	return age <= 0 || b.now().Sub(info.LastModified) >= time.Duration(age)
}

// Remove implements [media.Sweeper]. A put that was interrupted leaves nothing in a bucket.
func (b *Bucket) Remove(ctx context.Context, pkg uuid.UUID, digests []string, age media.Age) (int, error) {
	removed := make([]bool, len(digests))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, digest := range digests {
		if !media.IsDigest(digest) {
			continue
		}
		g.Go(func() error {
			key := b.key(pkg, digest)
			info, found, err := b.stat(ctx, key)
			if err != nil || !found || !b.isOld(info, age) {
				return err
			}
			if err := b.client.RemoveObject(ctx, b.bucket, key, minio.RemoveObjectOptions{}); err != nil {
				return b.unusable(ctx, err)
			}
			removed[i] = true
			return nil
		})
	}
	err := g.Wait()
	n := 0
	for _, gone := range removed {
		if gone {
			n++
		}
	}
	return n, err
}

// mark is the object whose age tells when the bucket was last swept.
const mark = "content-swept"

// Due reports whether the last sweep that began was at least age ago, and if so begins one: looking through a bucket
// takes a request a package, so not every writer does it.
func (b *Bucket) Due(ctx context.Context, age media.Age) (bool, error) {
	info, found, err := b.stat(ctx, b.prefix+mark)
	if err != nil || found && !b.isOld(info, age) {
		return false, err
	}
	_, err = b.client.PutObject(ctx, b.bucket, b.prefix+mark, strings.NewReader("\n"), 1, minio.PutObjectOptions{DisableMultipart: true})
	if err != nil {
		return false, b.unusable(ctx, err)
	}
	return true, nil
}
