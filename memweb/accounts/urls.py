"""Pages about people."""

from __future__ import annotations

from django.urls import path

from memweb.accounts import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/link/<str:token>", views.sign_in_link, name="sign-in-link"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("sign-up/", views.sign_up, name="sign-up"),
    path("welcome/", views.welcome, name="welcome"),
    path("settings/", views.settings_page, name="settings"),
    path("settings/preference/", views.preference, name="preference"),
    path("settings/gateway/", views.gateway, name="gateway"),
    path("settings/gateway/trial/", views.gateway_trial, name="gateway-trial"),
    path("settings/password/", views.password, name="password"),
    path("settings/people/", views.people, name="people"),
    path("settings/people/<int:pk>/link/", views.person_link, name="person-link"),
    path("settings/sign-out-everywhere/", views.forget_everywhere, name="sign-out-everywhere"),
]
