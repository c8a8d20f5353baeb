"""The platform's tables with its names, and the columns that permissions read. They are in the database already."""
from django.conf import settings
from django.db import models
from opaque_keys.edx.django.models import CourseKeyField
from opaque_keys.edx.locator import LibraryLocatorV2


class UserProfile(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="profile")
    name = models.CharField(max_length=255)

    class Meta:
        managed = False
        db_table = "auth_userprofile"


class UserRetirementRequest(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)

    class Meta:
        managed = False
        db_table = "user_api_userretirementrequest"


class LearningPackage(models.Model):
    title = models.CharField(max_length=500)

    class Meta:
        managed = False
        db_table = "openedx_content_learningpackage"


class Libraries(models.Manager):
    def get_by_key(self, key):
        return self.get(org__short_name=key.org, slug=key.slug)


class ContentLibrary(models.Model):
    org = models.ForeignKey("organizations.Organization", models.PROTECT)
    slug = models.SlugField()
    learning_package = models.OneToOneField(LearningPackage, models.SET_NULL, null=True)

    objects = Libraries()

    class Meta:
        managed = False
        db_table = "content_libraries_contentlibrary"

    @property
    def library_key(self):
        return LibraryLocatorV2(self.org.short_name, self.slug)


class CourseOverview(models.Model):
    id = CourseKeyField(primary_key=True, max_length=255)
    org = models.TextField()
    display_name = models.TextField(null=True)

    class Meta:
        managed = False
        db_table = "course_overviews_courseoverview"

    @classmethod
    def get_from_id(cls, key):
        return cls.objects.get(id=key)
