package s3

import (
	"cmp"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/fault"
)

// Scheme begins the URL of a bucket.
const Scheme = "s3:"

// target is what a URL names.
type target struct {
	bucket, prefix   string // the prefix ends in a slash unless it is empty
	endpoint, region string
	insecure, iam    bool
}

// name is what messages call it: no credentials, no parameters.
func (t target) name() string { return "s3://" + strings.TrimSuffix(t.bucket+"/"+t.prefix, "/") }

const urlForm = "write s3://BUCKET/PREFIX?endpoint=HOST:PORT&region=REGION"

func usage(text string) error {
	return fault.Errorf(fault.Usage, "media URL", "%s", text).WithNext(urlForm)
}

// bucketName is what every store takes: no dots, which do not go with certificates, and lower case.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

// parse reads s3://bucket/prefix?endpoint=host:port&region=name&insecure=1&iam=1. Its errors never repeat what may be a
// secret.
func parse(text string) (t target, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return t, usage("does not parse")
	case u.Scheme != "s3" || u.Opaque != "":
		return t, usage("must begin with s3://")
	case u.User != nil || strings.Contains(u.Host, ":"):
		return t, usage("names credentials or a port: credentials come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), the server is the parameter endpoint")
	case !bucketName.MatchString(u.Host):
		return t, usage("must name a bucket of 3 to 63 lower-case letters, digits and hyphens")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return t, usage("has a # (write it as %23)")
	}
	t = target{bucket: u.Host, endpoint: "s3.amazonaws.com"}
	if p := strings.Trim(u.Path, "/"); p != "" {
		for _, part := range strings.Split(p, "/") {
			if part == "" || part == "." || part == ".." {
				return t, usage("has a prefix with an empty part or with dots alone")
			}
		}
		t.prefix = p + "/"
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return t, usage("has parameters that do not parse")
	}
	for name, list := range values {
		value := list[len(list)-1]
		switch name {
		case "endpoint":
			t.endpoint = value
		case "region":
			t.region = value
		case "insecure", "iam":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return t, usage("needs 0 or 1 for " + name)
			}
			if name == "iam" {
				t.iam = on
			} else {
				t.insecure = on
			}
		default:
			return t, usage("has a parameter other than endpoint, region, insecure and iam")
		}
	}
	if t.endpoint == "" || strings.ContainsAny(t.endpoint, "/@?") {
		return t, usage("needs a host, or host:port, as endpoint, without https:// (insecure=1 speaks plain HTTP)")
	}
	// Asking the store for the region is one more request, and one more right to be granted.
	t.region = cmp.Or(t.region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1")
	return t, nil
}
