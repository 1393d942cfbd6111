"""The runner of tutorials: what a page says is done, and what it promises is looked for."""

from pathlib import Path

import pytest

from ennead.testing.tutorial import Step, follow, steps

PAGE = """# A page

<!-- file: sub/greeting.txt -->
```text
Xin chào 8050
```

Then:

```console
$ cat sub/greeting.txt
Xin chào …
$ name="a
> b"
$ echo "$name"; cd sub
a
b
$ ls; sleep 60 > /dev/null &
```

```python
never_run()
```

<!-- not run -->
```console
$ false
```
"""


def test_the_steps_of_a_page() -> None:
    found = list(steps(PAGE))
    assert found[0] == Step("Xin chào 8050\n", file="sub/greeting.txt")
    assert found[1] == Step("cat sub/greeting.txt", ("Xin chào …",))
    assert found[2] == Step('name="a\nb"')
    assert len(found) == 5
    with pytest.raises(ValueError, match="begins with"):
        list(steps("```console\noutput\n```\n"))


def test_a_page_is_followed_in_one_shell(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    work = tmp_path / "work"
    work.mkdir()
    assert follow(page, work, replace={"8050": "8051"}) == 4
    assert (work / "sub" / "greeting.txt").read_text() == "Xin chào 8051\n"


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("$ echo one\ntwo", "did not print 'two'"),
        ("$ echo b; echo a\na\nb", "did not print 'b'"),
        ("$ exit_status() { return 3; }; exit_status", "ended with 3"),
    ],
)
def test_what_does_not_come_true_is_told(block: str, why: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```console\n{block}\n```\n")
    with pytest.raises(AssertionError, match=why):
        follow(page, tmp_path)


def test_a_command_that_does_not_end(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo begun; sleep 60\n```\n")
    with pytest.raises(TimeoutError, match="begun"):
        follow(page, tmp_path, timeout_s=0.5)
