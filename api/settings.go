package api

import (
	"net/http"
)

// settings are what a stock client is told at its start (stock-clients.md §3): every key overwrites the one it was built
// with, so what has no meaning here is said to be empty, lest the client calls the server of whoever built it.
type settings struct {
	BaseURL            string `json:"BASE_URL"`
	LMSBaseURL         string `json:"LMS_BASE_URL"`
	StudioBaseURL      string `json:"STUDIO_BASE_URL"`
	LearningBaseURL    string `json:"LEARNING_BASE_URL"`
	MarketingBaseURL   string `json:"MARKETING_SITE_BASE_URL"`
	LoginURL           string `json:"LOGIN_URL"`
	LogoutURL          string `json:"LOGOUT_URL"`
	RefreshURL         string `json:"REFRESH_ACCESS_TOKEN_ENDPOINT"`
	TokenPath          string `json:"CSRF_TOKEN_API_PATH"`
	JWTCookie          string `json:"ACCESS_TOKEN_COOKIE_NAME"`
	UserCookie         string `json:"USER_INFO_COOKIE_NAME"`
	LanguageCookie     string `json:"LANGUAGE_PREFERENCE_COOKIE_NAME"`
	SiteName           string `json:"SITE_NAME"`
	StudioShortName    string `json:"STUDIO_SHORT_NAME"`
	LogoURL            string `json:"LOGO_URL"`
	LogoTrademarkURL   string `json:"LOGO_TRADEMARK_URL"`
	LogoWhiteURL       string `json:"LOGO_WHITE_URL"`
	FaviconURL         string `json:"FAVICON_URL"`
	AdminConsoleURL    string `json:"ADMIN_CONSOLE_URL,omitempty"`
	AuthoringURL       string `json:"COURSE_AUTHORING_MICROFRONTEND_URL,omitempty"`
	AccountSettingsURL string `json:"ACCOUNT_SETTINGS_URL"`
	AccountProfileURL  string `json:"ACCOUNT_PROFILE_URL"`
	SupportURL         string `json:"SUPPORT_URL"`
	SupportEmail       string `json:"SUPPORT_EMAIL"`

	// Switches that the clients compare with the string (a JSON true counts as off).
	UnitPage          string `json:"ENABLE_UNIT_PAGE"`
	CertificatePage   string `json:"ENABLE_CERTIFICATE_PAGE"`
	TaxonomyPages     string `json:"ENABLE_TAGGING_TAXONOMY_PAGES"`
	VideoUploadPage   string `json:"ENABLE_VIDEO_UPLOAD_PAGE_LINK_IN_CONTENT_DROPDOWN"`
	AccessibilityPage string `json:"ENABLE_ACCESSIBILITY_PAGE"`
	ChecklistQuality  string `json:"ENABLE_CHECKLIST_QUALITY"`
	AssetsPage        string `json:"ENABLE_ASSETS_PAGE"`

	NewUnitPage       bool     `json:"ENABLE_UNIT_PAGE_NEW_DESIGN"`
	CourseToLibrary   bool     `json:"ENABLE_COURSE_IMPORT_IN_LIBRARY"`
	Search            bool     `json:"MEILISEARCH_ENABLED"`
	UnsupportedBlocks []string `json:"LIBRARY_UNSUPPORTED_BLOCKS"`

	Segment     string            `json:"SEGMENT_KEY"`
	Hotjar      string            `json:"HOTJAR_APP_ID"`
	ThemeURLs   map[string]string `json:"PARAGON_THEME_URLS"`
	Credentials string            `json:"CREDENTIALS_BASE_URL"`
	Ecommerce   string            `json:"ECOMMERCE_BASE_URL"`
	Discovery   string            `json:"DISCOVERY_API_BASE_URL"`
	Publisher   string            `json:"PUBLISHER_BASE_URL"`
}

func (s start) settings(w http.ResponseWriter, r *http.Request) {
	at := func(path string) string { return Absolute(r.Context(), path) }
	base := at("")
	d := settings{
		BaseURL: base, LMSBaseURL: base, StudioBaseURL: base, LearningBaseURL: base, MarketingBaseURL: base,
		LoginURL: at(LoginPath), LogoutURL: at(LogoutPath), RefreshURL: at(RefreshPath), TokenPath: TokenPath,
		JWTCookie: JWTCookie, UserCookie: "edx-user-info", LanguageCookie: "openedx-language-preference",
		SiteName: siteName, StudioShortName: siteName,
		LogoURL: at(assetPath + logo), LogoTrademarkURL: at(assetPath + logo), LogoWhiteURL: at(assetPath + logo), FaviconURL: at(assetPath + logo),
		AccountSettingsURL: base, AccountProfileURL: base, SupportURL: base,
		UnitPage: "true", CertificatePage: "false", TaxonomyPages: "true", VideoUploadPage: "false",
		AccessibilityPage: "false", ChecklistQuality: "true", AssetsPage: "false",
		NewUnitPage: true, CourseToLibrary: true, Search: true,
		UnsupportedBlocks: []string{}, ThemeURLs: map[string]string{},
	}
	if s.AdminConsole != nil {
		d.AdminConsoleURL = at("/admin-console")
	}
	if s.Authoring != nil {
		d.AuthoringURL = at("/authoring")
	}
	w.Header().Set("Cache-Control", "no-cache")
	WriteJSON(w, r, http.StatusOK, d)
}

const siteName = "Lectern"
