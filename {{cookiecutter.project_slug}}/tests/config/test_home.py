"""The page at `/`."""

import html

from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from pytest_django import Settings


def test_home_says_what_runs_here(client: Client) -> None:
    response = client.get("/")

    assert response.status_code == 200
    page = html.unescape(response.content.decode())
    assert f"<h1>{settings.SITE_NAME}</h1>" in page
    assert 'href="/healthz"' in page


def test_home_escapes_the_name(client: Client, settings: Settings) -> None:
    settings.SITE_NAME = "<b>&"

    assert b"<h1>&lt;b&gt;&amp;</h1>" in client.get("/").content


def test_home_needs_nothing_that_its_policy_forbids(client: Client) -> None:
    response = client.get("/")

    assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert b"<style" not in response.content
    assert b"<script" not in response.content
    assert b"style=" not in response.content
    assert finders.find("home.css")


def test_home_is_only_read(client: Client) -> None:
    assert client.post("/").status_code == 405
