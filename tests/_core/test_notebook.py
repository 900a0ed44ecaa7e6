"""Tables and files in a notebook: small, escaped, and nothing is downloaded."""

from gazelle._core.notebook import ShownFile, html_table


def test_a_table_escapes_all_texts():
    page = html_table("<b>", ["<i>", "&"], [["<script>", '"']], "<foot>")
    assert not any(word in page for word in ("<b><", "<i>", "<script>", "<foot>", "http"))
    assert page.count("&lt;") == 4


def test_a_file_is_shown_according_to_its_type(tmp_path):
    files = {"a.png": b"\x89PNG", "b.svg": b"<svg/>", "c.html": b"<p>", "d.txt": b"x"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    shown = {name: ShownFile(tmp_path / name)._repr_mimebundle_() for name in files}
    assert shown["a.png"]["image/png"] == b"\x89PNG"
    assert shown["b.svg"]["image/svg+xml"] == "<svg/>"
    assert shown["c.html"]["text/html"].startswith("<a href=")
    assert list(shown["d.txt"]) == ["text/plain"]


def test_only_the_name_of_a_missing_or_too_large_file_is_shown(tmp_path):
    large = tmp_path / "large.png"
    large.write_bytes(bytes((5 << 20) + 1))
    for path in (tmp_path / "gone.png", large):
        assert list(ShownFile(path)._repr_mimebundle_()) == ["text/plain"]


def test_a_name_with_markup_is_escaped_in_a_link(tmp_path):
    page = tmp_path / '<b>"&.html'
    page.write_text("")
    assert "<b>" not in ShownFile(page)._repr_mimebundle_()["text/html"]
