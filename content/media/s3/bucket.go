package s3

import (
	"context"
	"io"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/fault"
)

const (
	folder   = "content/" // as in a folder of files
	parallel = 8          // requests at the same time of one call
	tries    = 5          // of one request, with pauses of up to a second
	// stall is how long a connection may carry nothing before it is given up.
	stall = time.Minute
	// largest is what one put may have.
	largest = 5 << 30
)

// Bucket keeps files in a bucket. It is safe for concurrent use. Use [Open].
type Bucket struct {
	target
	client *minio.Client
	now    func() time.Time
}

var (
	_ media.Files   = (*Bucket)(nil)
	_ media.Sweeper = (*Bucket)(nil)
)

// Open returns the files in the bucket that a URL names: s3://bucket/prefix?endpoint=host:port&region=name&insecure=1.
// The endpoint is Amazon's by default; insecure=1 speaks plain HTTP. Credentials are those of AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else of the shared file of AWS's tools (AWS_SHARED_CREDENTIALS_FILE,
// AWS_PROFILE), with iam=1 else of the machine's role. A URL that does not parse is fault.Usage. Nothing is asked of the
// store yet.
func Open(text string) (*Bucket, error) {
	t, err := parse(text)
	if err != nil {
		return nil, err
	}
	transport, err := minio.DefaultTransport(!t.insecure)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &impatient{Conn: c}, nil
	}
	transport.MaxIdleConnsPerHost = 2 * parallel
	providers := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if t.iam {
		providers = append(providers, &credentials.IAM{})
	}
	client, err := minio.New(t.endpoint, &minio.Options{
		Creds: credentials.NewChainCredentials(providers), Secure: !t.insecure, Region: t.region,
		Transport: transport, MaxRetries: tries,
	})
	if err != nil {
		return nil, usage("does not suit the store's client: " + err.Error())
	}
	return &Bucket{target: t, client: client, now: time.Now}, nil
}

// Name returns what messages call the bucket, without parameters.
func (b *Bucket) Name() string { return b.name() }

// impatient is a connection that fails when nothing moves on it for too long.
type impatient struct{ net.Conn }

func (c *impatient) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *impatient) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// key returns the name of a blob's object.
func (b *Bucket) key(pkg uuid.UUID, digest string) string { return b.folder(pkg) + digest }

func (b *Bucket) folder(pkg uuid.UUID) string { return b.prefix + folder + pkg.String() + "/" }

// Open implements [media.Files]. The bytes come as they are read.
func (b *Bucket) Open(ctx context.Context, pkg uuid.UUID, digest string) (io.ReadCloser, error) {
	if !media.IsDigest(digest) {
		return nil, fault.Errorf(fault.NotFound, "media file", "no digest: %.60q", digest)
	}
	key := b.key(pkg, digest)
	body, _, _, err := minio.Core{Client: b.client}.GetObject(ctx, b.bucket, key, minio.GetObjectOptions{})
	if missing(err) {
		return nil, fault.Errorf(fault.NotFound, "media file "+digest, "it is not in %s", b.Name())
	}
	if err != nil {
		return nil, b.unusable(ctx, err)
	}
	return &object{ReadCloser: body, ctx: ctx, b: b}, nil
}

// object tells of a download that breaks off in the words of the package.
type object struct {
	io.ReadCloser
	ctx context.Context
	b   *Bucket
}

func (o *object) Read(p []byte) (int, error) {
	n, err := o.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = o.b.unusable(o.ctx, err)
	}
	return n, err
}

// Size implements [media.Files].
func (b *Bucket) Size(ctx context.Context, pkg uuid.UUID, digest string) (int64, bool, error) {
	if !media.IsDigest(digest) {
		return 0, false, nil
	}
	info, found, err := b.stat(ctx, b.key(pkg, digest))
	return info.Size, found, err
}

func (b *Bucket) stat(ctx context.Context, key string) (minio.ObjectInfo, bool, error) {
	info, err := b.client.StatObject(ctx, b.bucket, key, minio.StatObjectOptions{})
	switch {
	case missing(err):
		return minio.ObjectInfo{}, false, nil
	case err != nil:
		return minio.ObjectInfo{}, false, b.unusable(ctx, err)
	}
	return info, true, nil
}

// missing reports an object that is not there. A HEAD has no body, so a bucket that is not there looks the same to it;
// whoever writes is told.
func missing(err error) bool {
	code := minio.ToErrorResponse(err).Code
	return err != nil && (code == minio.NoSuchKey || code == "NotFound")
}

// unusable tells of a store that does not do what it should.
func (b *Bucket) unusable(ctx context.Context, err error) error {
	if cerr := ctx.Err(); cerr != nil {
		return cerr
	}
	f := &fault.Error{Kind: fault.Unavailable, Thing: b.Name(), Err: err}
	r := minio.ToErrorResponse(err)
	switch r.Code {
	case minio.NoSuchBucket:
		f.Text, f.Next = "there is no such bucket at "+b.endpoint, "make the bucket, or check its name, the endpoint and the region"
	case minio.AccessDenied, "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AllAccessDisabled":
		f.Text = "the store refuses the request (" + r.Code + ")"
		f.Next = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may get, put, delete and list objects there"
	case "RequestTimeTooSkewed":
		f.Text, f.Next = "the store's clock and this machine's differ too much", "set the clock of this machine"
	case "":
		f.Text = "the store cannot be reached: " + strings.Join(strings.Fields(err.Error()), " ")
		f.Next = "check that " + b.endpoint + " runs and can be reached, then try again"
	default:
		f.Text = "the store answers " + r.Code + ": " + r.Message
		f.Next = "try again; if it stays so, look at the store's own log"
	}
	return f
}
