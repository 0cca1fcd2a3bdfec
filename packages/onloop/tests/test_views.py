"""How views answer with an error."""

import json

from onloop.views import error_response


def test_error_has_a_type_for_programs_and_a_text_for_people() -> None:
    response = error_response(503, "queue_full", "Try again later.", {"Retry-After": "10"})
    assert response.status_code == 503
    assert json.loads(response.content) == {
        "error": {"type": "queue_full", "message": "Try again later."}
    }
    assert response.headers["Retry-After"] == "10"
    assert response.headers["Content-Type"] == "application/json"
