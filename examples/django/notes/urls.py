from django.urls import path

from . import views

urlpatterns = [
    path("", views.index, name="index"),
    path("notes/<int:pk>/attachment", views.attachment, name="attachment"),
    path("stream", views.stream, name="stream"),
]
