package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/app"
)

// Store is what this package asks of package app.
type Store interface {
	// Account returns what viewer may see of the person of that name; NotFound when there is none.
	Account(ctx context.Context, viewer Person, name string) (app.Account, error)
}

// start answers the calls that both stock clients make when a page opens (stock-clients.md §2 to §5).
type start struct {
	Config
	router *Router
}

// Paths of the sign-in, which package api/signin serves; the configuration of the clients names them.
const (
	LoginPath   = "/login"
	LogoutPath  = "/logout"
	RefreshPath = "/login_refresh"
	TokenPath   = "/csrf/api/v1/token"
	JWTCookie   = "edx-jwt-cookie-header-payload"
)

// Where the stock clients are mounted.
const (
	adminConsolePath = "/admin-console/"
	authoringPath    = "/authoring/"
)

func (s start) routes(rt *Router) {
	rt.Handle(Route{
		Method: http.MethodGet, Path: "/api/mfe_config/v1", Access: Open, Early: true, Handler: http.HandlerFunc(s.settings),
		Operation: &huma.Operation{
			OperationID: "mfe-config", Tags: []string{tagStart}, Summary: "Settings of a stock client",
			Parameters: []*huma.Param{{Name: "mfe", In: "query", Description: "which client: admin-console or authoring; the answer is the same", Schema: &huma.Schema{Type: huma.TypeString}}},
			Responses:  rt.Answers(Answer{http.StatusOK, "A flat object; the client lays it over the settings it was built with.", settings{}}),
		},
	})
	rt.Handle(Route{
		Method: http.MethodGet, Path: "/api/notifications/count/", Access: Anyone, Early: true, Quiet: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			WriteJSON(w, r, http.StatusOK, notifications{CountByApp: map[string]int{}})
		}),
		Operation: &huma.Operation{
			OperationID: "notifications-count", Tags: []string{tagStart}, Summary: "That there are no notifications here: the clients hide the bell",
			Responses: rt.Answers(Answer{http.StatusOK, "None.", notifications{}}),
		},
	})
	rt.Handle(Route{
		Method: http.MethodGet, Path: "/api/user/v1/accounts/{username}", Access: SignedIn,
		Needs:   "everybody sees names; the address is shown to the person, to staff and to those who may view a team",
		Handler: http.HandlerFunc(s.account),
		Operation: &huma.Operation{
			OperationID: "account", Tags: []string{tagStart}, Summary: "A person",
			Responses: rt.Answers(Answer{http.StatusOK, "What the caller may see of them.", account{}}, Answer{http.StatusNotFound, "There is no such person.", &Problem{}}),
		},
	})
	Add(rt, Route{
		Method: http.MethodGet, Path: "/api/lectern/v1/about", Access: Anyone, Early: true,
		Operation: &huma.Operation{OperationID: "about", Tags: []string{tagLectern}, Summary: "Which server this is, and who is signed in"},
	}, func(ctx context.Context, _ *struct{}) (*about, error) {
		d := &about{}
		d.Body.Version, d.Body.Ready = s.Version, rt.ready() == nil
		if p, ok := s.Auth.Person(ctx); ok {
			d.Body.User = &p.Username
		}
		return d, nil
	})
	// Browsers ask for it by themselves, on the pages of the stock clients too.
	rt.Handle(Route{Method: http.MethodGet, Path: "/favicon.ico", Access: Open, Early: true, Quiet: true, Handler: http.RedirectHandler(assetPath+logo, http.StatusFound), Operation: &huma.Operation{
		OperationID: "favicon", Tags: []string{tagServer}, Summary: "The way to the picture of browser tabs",
		Responses: map[string]*huma.Response{"302": {Description: "To " + assetPath + logo + "."}},
	}})
	rt.Handle(Route{Method: http.MethodGet, Path: "/", Access: Open, Early: true, Handler: http.HandlerFunc(s.landing), Operation: &huma.Operation{
		OperationID: "landing", Tags: []string{tagServer}, Summary: "A page that says what is here",
		Responses: map[string]*huma.Response{"200": {Description: "HTML.", Content: map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}}}},
	}})
}

// about is the answer of /api/lectern/v1/about.
type about struct {
	Body struct {
		Version string  `json:"version" doc:"Version of the program."`
		Ready   bool    `json:"ready" doc:"Whether the database can be worked on."`
		User    *string `json:"user" doc:"Who is signed in; null for nobody."`
	}
}

// notifications is the answer that hides the bell (stock-clients.md §4, N).
type notifications struct {
	Show       bool           `json:"show_notifications_tray"`
	Count      int            `json:"count"`
	CountByApp map[string]int `json:"count_by_app_name"`
}

// account is a person as the platform's accounts API gives one (libraries-api.md, appendix A).
type account struct {
	Username string       `json:"username"`
	Name     string       `json:"name"`
	Email    *string      `json:"email,omitempty"`
	Active   bool         `json:"is_active"`
	Image    profileImage `json:"profile_image"`
}

type profileImage struct {
	Has    bool   `json:"has_image"`
	Full   string `json:"image_url_full"`
	Large  string `json:"image_url_large"`
	Medium string `json:"image_url_medium"`
	Small  string `json:"image_url_small"`
}

func (s start) account(w http.ResponseWriter, r *http.Request) {
	viewer, _ := s.Auth.Person(r.Context())
	a, err := s.Store.Account(r.Context(), viewer, r.PathValue("username"))
	if err != nil {
		WriteError(w, r, err)
		return
	}
	image := Absolute(r.Context(), assetPath+personImage)
	doc := account{
		Username: a.Username, Name: a.Name, Active: a.Active,
		Image: profileImage{false, image, image, image, image},
	}
	if a.Full {
		doc.Email = &a.Email
	}
	WriteJSON(w, r, http.StatusOK, doc)
}
