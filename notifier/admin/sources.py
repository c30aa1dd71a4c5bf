"""Sources, their tokens and signing secrets, what they may post, and how their own JSON is read."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from notifier.admin.readonly import ModelAdmin, ReadOnlyInline
from notifier.errors import InvalidEvent
from notifier.intake import field_mapping
from notifier.intake.plain import parse_json
from notifier.intake.source_limits import check_depth, check_limits, limits_of
from notifier.models import SigningSecret, Source, SourceToken


class TokenInline(ReadOnlyInline):
    """A source's tokens: how they start, never more."""

    model = SourceToken
    fields = readonly_fields = ("prefix", "created", "revoked_at")


class SigningSecretInline(ReadOnlyInline):
    """A source's signing secrets, likewise."""

    model = SigningSecret
    fields = readonly_fields = ("prefix", "created", "revoked_at")


class SecureURLField(forms.URLField):
    """A host that is written without a scheme is reached by HTTPS, as Django 6 assumes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(assume_scheme="https", **kwargs)


class SourceForm(forms.ModelForm):  # type: ignore[type-arg] # generic in its stubs alone
    """Checks the limits; an empty box is none."""

    class Meta:
        model = Source
        fields = ("name", "type", "default_level", "limits", "heartbeat_interval", "base_url")
        field_classes: ClassVar = {"base_url": SecureURLField}

    def clean_limits(self) -> Any:
        """Validate."""
        limits = _written(self.cleaned_data["limits"])
        check_limits(limits)
        return limits


def _written(value: object) -> object:
    """Return what a box of JSON holds; an empty one nothing."""
    return {} if value is None else value


class MappingForm(forms.ModelForm):  # type: ignore[type-arg] # generic in its stubs alone
    """A mapping, tried on a sample that is kept nowhere; `events` is what it gives."""

    sample = forms.CharField(
        required=False,
        widget=forms.Textarea,
        strip=False,
        help_text="JSON as the source posts it. It is not kept, and nobody is told.",
    )

    class Meta:
        model = Source
        fields = ("mapping",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.events: list[dict[str, Any]] | None = None

    def clean_mapping(self) -> Any:
        """Validate."""
        mapping = _written(self.cleaned_data["mapping"])
        field_mapping.check_mapping(mapping)
        return mapping

    def clean(self) -> dict[str, Any]:
        """Try the mapping on the sample, if there are both."""
        data = super().clean() or self.cleaned_data
        if data.get("sample") and data.get("mapping"):
            try:
                self.events = self._events(data["mapping"], data["sample"])
            except InvalidEvent as error:
                self.add_error("sample", [str(each) for each in error.problems[:20]])
        return data

    def _events(self, mapping: dict[str, Any], sample: str) -> list[dict[str, Any]]:
        source: Source = self.instance
        limits = limits_of(source)
        body = parse_json(sample.encode("utf-8", "surrogatepass"))
        check_depth(source, body)
        reports = field_mapping.read(
            mapping,
            body,
            default_level=source.default_level,
            most_tags=limits.tags,
            depth=limits.depth,
        )
        return [report.event.model_dump(mode="json", exclude_defaults=True) for report in reports]


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    """A new source gets its token shown once."""

    form = SourceForm
    list_display = ("name", "type", "last_heartbeat", "silent_since", "created")
    list_filter = ("type",)
    search_fields = ("name",)
    readonly_fields = ("own_json", "signed_path", "last_heartbeat", "silent_since")
    inlines = (TokenInline, SigningSecretInline)
    actions = (
        *("issue_token", "revoke_tokens"),
        *("issue_signing_secret", "revoke_older_signing_secrets", "revoke_signing_secrets"),
    )

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Leave out what a source that is not there yet can't have."""
        del request
        return (*SourceForm.Meta.fields, *(self.readonly_fields if obj else ()))

    @admin.display(description="Its own JSON")
    def own_json(self, obj: Source) -> str:
        """Return a link to the mapping's page."""
        said = "Read by a mapping" if obj.mapping else "No mapping"
        link = reverse("admin:notifier_source_mapping", args=[obj.pk])
        return format_html('{} — <a href="{}">edit it, and try it on a sample</a>', said, link)

    @admin.display(description="Signed posts go to")
    def signed_path(self, obj: Source) -> str:
        """Return the path under Notifier's own."""
        return f"/api/v1/intake/signed/{obj.pk}"

    def get_urls(self) -> list[URLPattern]:
        """Add the mapping's page."""
        view = self.admin_site.admin_view(self.mapping_view)
        own = path("<int:pk>/mapping/", view, name="notifier_source_mapping")
        return [own, *super().get_urls()]

    def mapping_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Edit a mapping, and show what it makes of a sample."""
        source = get_object_or_404(Source, pk=pk)
        if not self.has_change_permission(request, source):
            raise PermissionDenied
        form = MappingForm(request.POST or None, instance=source)
        if request.method == "POST" and form.is_valid() and "_save" in request.POST:
            form.save()
            self.log_change(request, source, "Changed mapping.")
            self.message_user(request, f"The mapping of {source} is in force.", messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:notifier_source_change", args=[pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": Source._meta,
            "original": source,
            "title": f"How the JSON of {source} is read",
            "form": form,
            "fields": ("events", *field_mapping.FIELDS, "types", "levels"),
        }
        return TemplateResponse(request, "admin/notifier/source/mapping.html", context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save; a new source gets a token."""
        super().save_model(request, obj, form, change)
        if not change:
            self._issue(request, obj)

    @admin.action(description="Issue another token", permissions=["change"])
    def issue_token(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Give each chosen source one more token, for rotation."""
        for source in queryset:
            self._issue(request, source)

    @admin.action(description="Revoke all tokens", permissions=["change"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Shut the chosen sources out of the HTTP intake, from now on."""
        revoked = SourceToken.objects.filter(source__in=queryset, revoked_at=None).update(
            revoked_at=Now()
        )
        self.message_user(request, f"{revoked} tokens revoked.")

    @admin.action(description="Issue another signing secret", permissions=["change"])
    def issue_signing_secret(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Give each chosen source one more signing secret; those before stay good."""
        for source in queryset:
            self._show(request, "Signing secret", source, SigningSecret.issue(source))

    @admin.action(description="Revoke all signing secrets but the newest", permissions=["change"])
    def revoke_older_signing_secrets(
        self, request: HttpRequest, queryset: QuerySet[Source]
    ) -> None:
        """End a rotation."""
        newest = [
            source.signing_secrets.filter(revoked_at=None).values_list("pk", flat=True).first()
            for source in queryset
        ]
        self._revoke_signing_secrets(request, queryset, newest)

    @admin.action(description="Revoke all signing secrets", permissions=["change"])
    def revoke_signing_secrets(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Take no signed posts of the chosen sources any more."""
        self._revoke_signing_secrets(request, queryset, [])

    def _revoke_signing_secrets(
        self, request: HttpRequest, queryset: QuerySet[Source], kept: list[Any]
    ) -> None:
        good = SigningSecret.objects.filter(source__in=queryset, revoked_at=None)
        revoked = good.exclude(pk__in=kept).update(revoked_at=Now())
        self.message_user(request, f"{revoked} signing secrets revoked.")

    def _issue(self, request: HttpRequest, source: Source) -> None:
        self._show(request, "Token", source, SourceToken.issue(source))

    def _show(self, request: HttpRequest, what: str, source: Source, secret: str) -> None:
        self.message_user(
            request,
            f"{what} of {source}: {secret} — copy it now, it is not shown again.",
            messages.WARNING,
        )
