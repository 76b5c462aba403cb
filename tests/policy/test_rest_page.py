from __future__ import annotations

import rest_page


def test_the_page_about_rest_says_what_the_routes_declare():
    """If it fails, run python docs/rest_page.py."""
    assert rest_page.PAGE.read_text(encoding="utf-8") == rest_page.page()
