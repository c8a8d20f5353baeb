from django.urls import include, path

urlpatterns = [path("api/", include("openedx_authz.urls"))]
