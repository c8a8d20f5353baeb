package oldcourse

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind is what a column of the platform's overviews holds. The zero kind is whatever the database says it is, as text.
type kind uint8

const (
	anything kind = iota
	texts
	numbers
	truths
	moments
	documents // JSON in a text
)

// known are the columns of the platform's overviews of any release (DEP-20): all others are kept as they are found.
var known = map[string]kind{
	"id": texts, "org": texts, "display_name": texts, "_location": texts, "version": numbers,
	"display_number_with_default": texts, "display_org_with_default": texts, "advertised_start": texts,
	"course_image_url": texts, "banner_image_url": texts, "social_sharing_url": texts, "end_of_course_survey_url": texts,
	"certificates_display_behavior": texts, "cert_name_short": texts, "cert_name_long": texts, "catalog_visibility": texts,
	"short_description": texts, "course_video_url": texts, "effort": texts, "marketing_url": texts, "language": texts,
	"enrollment_domain": texts, "external_id": texts, "entrance_exam_id": texts,
	"created": moments, "modified": moments, "start": moments, "end": moments, "start_date": moments, "end_date": moments,
	"announcement": moments, "enrollment_start": moments, "enrollment_end": moments, "certificate_available_date": moments,
	"certificates_show_before_end": truths, "cert_html_view_enabled": truths, "has_any_active_web_certificate": truths,
	"mobile_available": truths, "visible_to_staff_only": truths, "invitation_only": truths, "self_paced": truths,
	"eligible_for_financial_aid": truths, "entrance_exam_enabled": truths, "force_on_flexible_peer_openassessments": truths,
	"has_highlights": truths, "lowest_passing_grade": numbers, "days_early_for_beta": numbers,
	"max_student_enrollments_allowed": numbers, "entrance_exam_minimum_score_pct": numbers, "_pre_requisite_courses_json": documents,
}

// moment is a time as data have it: RFC 3339 in UTC with microseconds.
const moment = "2006-01-02T15:04:05.000000Z"

// layouts are how times are written in tables and by programs that print tables.
var layouts = []string{"2006-01-02 15:04:05.999999", "2006-01-02 15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999-07", time.RFC3339Nano, time.DateOnly}

func parseMoment(s string) (time.Time, error) {
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no moment", cut(s, 40))
}

// typed makes of a value, as a database or a text has it, what JSON calls it: nil, bool, json.Number, string, and for moments
// their text.
func (k kind) typed(v any) (any, error) {
	switch x := v.(type) {
	case nil:
		return nil, nil //nolint:nilnil // the value is null
	case []byte:
		v = string(x)
	case time.Time:
		return x.UTC().Format(moment), nil
	case int64:
		if k == truths && (x == 0 || x == 1) {
			return x == 1, nil
		}
		v = strconv.FormatInt(x, 10)
		if k == anything || k == numbers {
			return json.Number(v.(string)), nil //nolint:forcetypeassert // it was set above
		}
	case float64:
		return json.Number(strconv.FormatFloat(x, 'g', -1, 64)), nil
	case bool:
		return x, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("it is a %T", v)
	}
	return k.read(s)
}

// read is typed of a text.
func (k kind) read(s string) (any, error) {
	if s == "" && (k == numbers || k == truths || k == moments) {
		return nil, nil //nolint:nilnil // how texts write null
	}
	text, broken := clean(s)
	if broken {
		return text, errors.New("it is not text in UTF-8")
	}
	switch k {
	case numbers:
		if _, err := strconv.ParseFloat(s, 64); err != nil || !json.Valid([]byte(s)) {
			return text, fmt.Errorf("%q is no number", cut(s, 40))
		}
		return json.Number(s), nil
	case truths:
		switch strings.ToLower(s) {
		case "1", "t", "true":
			return true, nil
		case "0", "f", "false":
			return false, nil
		}
		return text, fmt.Errorf("%q is neither true nor false", cut(s, 40))
	case moments:
		t, err := parseMoment(s)
		if err != nil {
			return text, err
		}
		return t.Format(moment), nil
	case documents:
		if s != "" && !json.Valid([]byte(s)) {
			return text, errors.New("it is no JSON")
		}
	}
	return text, nil
}
