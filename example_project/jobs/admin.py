from __future__ import annotations

from django.contrib import admin

from .models import Application, School, Vacancy

admin.site.site_header = "Classroom Jobs"
admin.site.site_title = "Classroom Jobs"


@admin.register(School)
class SchoolAdmin(admin.ModelAdmin):
    list_display = ("name", "town", "phase", "email")
    list_filter = ("phase",)
    search_fields = ("name", "town", "email")
    prepopulated_fields = {"slug": ("name",)}


@admin.register(Vacancy)
class VacancyAdmin(admin.ModelAdmin):
    list_display = ("title", "school", "form_type", "posted_on", "closes_on")
    list_filter = ("form_type", "closes_on")
    list_select_related = ("school",)
    search_fields = ("title", "school__name")


@admin.register(Application)
class ApplicationAdmin(admin.ModelAdmin):
    list_display = ("full_name", "vacancy", "form_type", "status", "created_at", "emailed_at")
    list_filter = ("status", "form_type", ("emailed_at", admin.EmptyFieldListFilter))
    list_select_related = ("vacancy__school",)
    search_fields = ("full_name", "email")
    raw_id_fields = ("vacancy", "teacher")
    readonly_fields = ("token", "created_at", "updated_at")
