"""Static files in production."""

from pathlib import Path

from django.core.files.base import ContentFile

from onloop.static import StaticFilesStorage


def test_module_imports_the_named_copy_of_another(tmp_path: Path) -> None:
    storage = StaticFilesStorage(location=tmp_path, base_url="/static/")
    files = {"a.js": 'import { b } from "./b.js";', "b.js": "export const b = 1;"}
    for name, text in files.items():
        storage.save(name, ContentFile(text))
    for _, _, processed in storage.post_process({name: (storage, name) for name in files}):
        assert not isinstance(processed, Exception)

    imported = Path(storage.stored_name("b.js")).name
    assert imported != "b.js"
    text = (tmp_path / storage.stored_name("a.js")).read_text()
    assert text == files["a.js"].replace("b.js", imported)
