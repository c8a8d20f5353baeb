package olx

import (
	"fmt"

	"github.com/openlectern/lectern/courseware"
)

// The rules that reading can find broken, under the names of validation findings (olx.md §4).
const (
	ruleNoCourse     = "CourseXMLDoesNotExist"
	ruleNoFile       = "FileDoesNotExist"
	ruleTag          = "TagMismatch"
	ruleSelf         = "SelfPointer"
	rulePointedAt    = "PointerAlreadyPointedAt"
	rulePointer      = "InvalidPointer"
	ruleText         = "UnexpectedContent"
	ruleElement      = "UnexpectedTag"
	ruleUnknown      = "UnknownBlock"
	ruleNoRun        = "NoRunName"
	ruleName         = "InvalidURLName"
	ruleDuplicate    = "DuplicateURLName"
	ruleNoName       = "MissingURLName"
	ruleBadPolicy    = "BadPolicy"
	rulePolicyFormat = "BadPolicyFormat"
	ruleBadEntry     = "BadEntry"
	ruleSetting      = "InvalidSetting"
	ruleGrading      = "GradingPolicyIssue"
	ruleDangling     = "DanglingReference"
	ruleAsset        = "DuplicateEntry"
	ruleUnsafe       = "ArchiveUnsafe"
	ruleTooLarge     = "ArchiveTooLarge"
	ruleEncoding     = "BadEncoding"
	ruleXML          = "InvalidXML"
)

// problem is why a block cannot be read. It becomes a finding of severity error.
type problem struct {
	file   string
	line   int
	rule   string
	text   string
	remedy string
}

func (p *problem) Error() string {
	if p.line > 0 {
		return fmt.Sprintf("%s:%d: %s", p.file, p.line, p.text)
	}
	return p.file + ": " + p.text
}

func (p *problem) finding() courseware.Finding {
	return courseware.Finding{
		File: p.file, Line: p.line, Rule: p.rule, Severity: courseware.Error, Message: p.text, Remedy: p.remedy,
	}
}

// notes takes what a reader notices in its input and goes on with.
type notes func(courseware.Finding)

func (n notes) warn(file string, line int, rule, remedy, format string, args ...any) {
	n.add(courseware.Warning, file, line, rule, remedy, format, args...)
}

func (n notes) add(s courseware.Severity, file string, line int, rule, remedy, format string, args ...any) {
	n(courseware.Finding{
		File: file, Line: line, Rule: rule, Severity: s, Message: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}
