from pathlib import Path

import pytest

from pointsman.document import DocumentError
from prompts.errors import LibraryError, PromptNotFound
from prompts.library import PromptLibrary

CARRIED = Path(__file__).parents[2] / "prompts" / "templates"


def write(folder: Path, file: str, name: str, version: str, content: str = "hi") -> None:
    text = f'name: {name}\nversion: "{version}"\ndescription: d\n'
    (folder / file).write_text(f"{text}messages:\n  - role: system\n    content: {content!r}\n")


def test_the_newest_version_is_given_and_older_ones_by_name(tmp_path: Path) -> None:
    for version in ("1.10", "1.9", "2-rc", "0"):
        write(tmp_path, f"desk@{version}.yaml", "desk", version)
    write(tmp_path, "other.yaml", "other", "9")
    library = PromptLibrary.load(tmp_path)
    assert library.names == ("desk", "other")
    assert library.versions("desk") == ("0", "1.9", "1.10", "2-rc")
    assert str(library.get("desk")) == "desk@2-rc"
    assert str(library.get("desk@1.9")) == "desk@1.9"


def test_what_is_not_there_is_named_with_what_is_near(tmp_path: Path) -> None:
    write(tmp_path, "desk.yaml", "desk", "1")
    library = PromptLibrary.load(tmp_path)
    with pytest.raises(PromptNotFound, match="no prompt 'dask'; did you mean 'desk'"):
        library.get("dask")
    with pytest.raises(PromptNotFound, match="no prompt 'desk@2'; did you mean 'desk@1'"):
        library.get("desk@2")


def test_all_problems_of_all_files_come_together(tmp_path: Path) -> None:
    write(tmp_path, "good.yaml", "good", "1")
    write(tmp_path, "alias.yaml", "other", "1")
    write(tmp_path, "good@2.yaml", "good", "3")
    write(tmp_path, "good@1.yaml", "good", "1")
    write(tmp_path, "use.yaml", "use", "1", "{{ a }} {{ b }}")
    (tmp_path / "yaml.yaml").write_text("a: [")
    with pytest.raises(LibraryError) as caught:
        PromptLibrary.load(tmp_path)
    text = str(caught.value)
    assert isinstance(caught.value, DocumentError)
    assert len(caught.value.problems) == 6
    assert "alias.yaml: name: must be 'alias' as the file is, found 'other'" in text
    assert "good@2.yaml: version: must be '2' as the file is, found '3'" in text
    assert "good@1 is also given by good" in text
    assert "use.yaml:6: messages.0.content: the variable 'a' is not declared" in text
    assert "the variable 'b' is not declared" in text
    assert "yaml.yaml:1: not YAML" in text


@pytest.mark.parametrize(("folder", "message"), [(".", "holds no prompt"), ("gone", "no such folder")])
def test_a_folder_without_prompts_is_an_error(tmp_path: Path, folder: str, message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        PromptLibrary.load(tmp_path / folder)


def test_the_carried_templates_load_and_render() -> None:
    library = PromptLibrary.load(CARRIED)
    assert {"parcel-support", "parcel-policy", "arithmetic", "order-json", "smalltalk", "refusal"} <= set(
        library.names
    )
    for name in library.names:
        template = library.get(name)
        values = {n: "x" for n, variable in template.variables.items() if variable.required}
        rendered = template.render([{"role": "user", "content": "hello"}], values)
        assert rendered[0]["role"] == "system"
        assert rendered[-1] == {"role": "user", "content": "hello"}
