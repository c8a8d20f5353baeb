"""The platform's models that openedx-authz asks for, with the columns and functions that it uses."""
from django.contrib.auth import get_user_model
from django.db import models
from opaque_keys.edx.django.models import CourseKeyField
from opaque_keys.edx.locator import LibraryLocatorV2
from organizations.models import Organization


class CourseOverview(models.Model):
    id = CourseKeyField(primary_key=True, max_length=255)
    org = models.TextField()
    display_name = models.TextField(null=True)

    class Meta:
        db_table = "course_overviews_courseoverview"

    @classmethod
    def get_from_id(cls, course_key):
        return cls.objects.get(id=course_key)


class Libraries(models.Manager):
    def get_by_key(self, key):
        orgs = Organization.objects.filter(short_name=key.org).values_list("pk", flat=True)
        return self.get(org_id__in=list(orgs), slug=key.slug)


class ContentLibrary(models.Model):
    id = models.AutoField(primary_key=True)
    org_id = models.IntegerField()
    slug = models.SlugField()
    license = models.CharField(max_length=25, default="")
    allow_public_learning = models.BooleanField(default=False)
    allow_public_read = models.BooleanField(default=False)
    learning_package_id = models.BigIntegerField(null=True, unique=True)

    objects = Libraries()

    class Meta:
        db_table = "content_libraries_contentlibrary"
        unique_together = [("org_id", "slug")]

    @property
    def library_key(self):
        return LibraryLocatorV2(org=Organization.objects.get(pk=self.org_id).short_name, slug=self.slug)


class UserRetirementRequest(models.Model):
    id = models.AutoField(primary_key=True)
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)
    user_id = models.IntegerField(unique=True)

    class Meta:
        db_table = "user_api_userretirementrequest"


class CourseAccessRole(models.Model):
    """The platform's own role rows. Lectern makes the table, and a database of Django alone is without it: who is deleted
    in a test has no rows, and is deleted without asking for them."""

    id = models.AutoField(primary_key=True)
    user = models.ForeignKey(get_user_model(), on_delete=models.DO_NOTHING)
    org = models.CharField(max_length=64, db_index=True, blank=True)
    course_id = CourseKeyField(max_length=255, db_index=True, blank=True)
    role = models.CharField(max_length=64, db_index=True)

    class Meta:
        db_table = "student_courseaccessrole"
        managed = False


def retirement_of(user):
    """What the platform's one-to-one field gives a user: an attribute that is missing without a row."""
    request = UserRetirementRequest.objects.filter(user_id=user.pk).first()
    if request is None:
        raise AttributeError("userretirementrequest")
    return request


get_user_model().userretirementrequest = property(retirement_of)
