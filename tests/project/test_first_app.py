"""What an owner writes first passes the project's checks, as Django's commands write it."""

import shutil
from pathlib import Path

from tests.template import python, run

MODELS = """
from django.conf import settings
from django.db import models


class Note(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["text"], name="text")]

    def __str__(self) -> str:
        return self.text
"""
VIEWS = """
from django.http import HttpRequest, JsonResponse

from notes.models import Note


async def write(request: HttpRequest) -> JsonResponse:
    note = await Note.objects.acreate(text=request.POST["text"])
    return JsonResponse({"id": note.pk})
"""
TESTS = """
import pytest
from django.test import TestCase

from notes.models import Note


@pytest.mark.django_db
async def test_note_is_written(async_client):
    response = await async_client.post("/notes/", {"text": "Buy milk"})

    assert response.status_code == 200
    assert await Note.objects.acount() == 1


class NoteTests(TestCase):
    def test_text_is_shown(self):
        self.assertEqual(str(Note(text="Buy milk")), "Buy milk")

    def test_nothing_is_left_behind(self):
        with self.assertRaises(Note.DoesNotExist):
            Note.objects.get()
"""


def test_first_app_passes_the_checks(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns(".venv", ".*_cache", ".coverage*", "*.sqlite3*")
    shutil.copytree(project, copy, ignore=ignored)
    manage = [str(python(project)), "manage.py"]
    production = {"SECRET_KEY": "abcdefghij" * 5, "ALLOWED_HOSTS": "a", "ENV_FILE": "/dev/null"}

    run(copy, *manage, "startapp", "untouched")
    run(copy, *manage, "startapp", "notes")
    add_line(copy / "config" / "settings.py", '    "accounts",\n', '    "notes",\n')
    path = '    path("", include("accounts.urls")),\n'
    add_line(copy / "config" / "urls.py", path, '    path("notes/", write),\n')
    imported = "from accounts.views import admin_login\n"
    add_line(copy / "config" / "urls.py", imported, "from notes.views import write\n")
    for name, text in {"models": MODELS, "views": VIEWS, "tests": TESTS}.items():
        (copy / "notes" / f"{name}.py").write_text(text.lstrip())
    run(copy, *manage, "makemigrations")

    run(copy, str(python(project)), "-m", "ruff", "check")
    run(copy, str(python(project)), "-m", "ruff", "format", "--check")
    run(copy, str(python(project)), "-m", "mypy", ".")
    run(copy, *manage, "check", "--deploy", "--fail-level", "WARNING", **production)
    run(copy, *manage, "makemigrations", "--check", "--dry-run", **production)
    output = run(copy, str(python(project)), "-m", "pytest", "notes")
    assert "3 passed" in output


def add_line(path: Path, before: str, line: str) -> None:
    """Add a line after one that stands in the file exactly once."""
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, before + line))
