from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import dump_config, load_config
from runtime.errors import ToolkitError
from runtime.sources import without_userinfo
from schemas.config import FakeConfig, LlamaCppConfig, RulesConfig

AGENTS = ("category_judge", "rsr")

TEXT = """
backends:
  gemini: {driver: litellm, model: gemini/gemini-2.5-flash, api_key_env: GEMINI_API_KEY}
  local: {driver: llama_cpp, gguf: models/tiny.gguf}
  fake: {driver: fake, script: faults.json}
agents: {default: local, rsr: gemini}
"""


@pytest.fixture(autouse=True)
def work_in_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str) -> Path:
    path = Path("conf/run.yaml")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_every_agent_uses_rules() -> None:
    assert load_config(None).backend("rsr") == RulesConfig(driver="rules")
    assert load_config(write("")).backend_name("rsr") == "rules"


def test_files_are_found_beside_the_config_and_the_cache_in_the_working_directory() -> None:
    config = load_config(write(TEXT))
    local, fake = config.backends["local"], config.backends["fake"]
    assert isinstance(local, LlamaCppConfig) and local.gguf == "conf/models/tiny.gguf"
    assert isinstance(fake, FakeConfig) and fake.script == "conf/faults.json"
    assert config.run.cache == ".cache/grainwise"


def test_a_home_directory_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    text = "backends: {l: {driver: llama_cpp, gguf: ~/a.gguf}}\nrun: {cache: ~/.cache/g}"
    config = load_config(write(text))
    assert getattr(config.backends["l"], "gguf", None) == "/home/ada/a.gguf"
    assert config.run.cache == "/home/ada/.cache/g"


@pytest.mark.parametrize(("text", "key"), [
    ("backends: {l: {driver: llama_cpp, gguf: ~nobody-here/a.gguf}}", "backends.l.gguf"),
    ("run: {cache: ~nobody-here/a}", "run.cache"),
    ("prompts: ~nobody-here/a", "prompts"),
])  # fmt: skip
def test_a_home_directory_that_nobody_has_is_a_config_error(text: str, key: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        load_config(write(text))
    expected = f"conf/run.yaml: {key}: nobody has the home directory ~nobody-here"
    assert (caught.value.message, caught.value.exit_code) == (expected, 2)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], {"rsr": "gemini", "category_judge": "local"}),
        (["fake"], {"rsr": "fake", "category_judge": "fake"}),
        (["rsr=fake"], {"rsr": "fake", "category_judge": "local"}),
        (["rsr=gemini", "rules"], {"rsr": "gemini", "category_judge": "rules"}),
        (["fake", "local"], {"rsr": "local", "category_judge": "local"}),
    ],
)
def test_overrides(overrides: list[str], expected: dict[str, str]) -> None:
    config = load_config(write(TEXT), overrides, agents=AGENTS)
    assert {agent: config.backend_name(agent) for agent in AGENTS} == expected


MESSAGES = [
    ("backends: {g: {driver: litellm, modle: x}}",
     "backends.g.model: required but missing; "
     "backends.g.modle: unknown key, did you mean `model`?"),
    ("backends: {g: {driver: rules, model: x}}", "backends.g.model: unknown key"),
    ("backends: {g: {driver: litelm, model: x}}",
     "backends.g.driver: expected rules or litellm or llama_cpp or outlines or fake, got "
     "\"litelm\", did you mean `litellm`?"),
    ("backends: {g: {model: x}}", "backends.g.driver: required but missing"),
    ("backends: {g: {driver: rules, max_parallel: 0}}",
     "backends.g.max_parallel: expected a value greater than 0, got 0"),
    ("backends: {l: {driver: llama_cpp}}",
     "backends.l: needs either `gguf` (a path) or `model` and `file` (hub repository)"),
    ("run: {seed: -1}", "run.seed: expected a value greater than or equal to 0, got -1"),
    ("run: {sed: 3}", "run.sed: unknown key, did you mean `seed`?"),
    ("backend: {}", "backend: unknown key, did you mean `backends`?"),
    ("run: {max_error_rate: ten}",
     'run.max_error_rate: expected a valid number, got "ten"'),
    ("backends: {g: {driver: litellm, model: x, api_base: localhost:8000/v1}}",
     "backends.g.api_base: expected a URL like http://localhost:8000/v1"),
    ("backends: {g: {driver: litellm, model: x, api_base: 'http://host:80000/v1'}}",
     "backends.g.api_base: expected a URL like http://localhost:8000/v1"),
    ("- a\n- b", "expected an object, got a list"),
    ("backends: {gemini: {driver: rules}}\nagents: {rsr: gemni}",
     "agents.rsr: unknown backend 'gemni', did you mean `gemini`?"),
    ("agents: {rrs: rules}", "agents.rrs: unknown agent, did you mean `rsr`?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MESSAGES)
def test_a_bad_config_names_file_key_and_expectation(text: str, message: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        load_config(write(text), agents=AGENTS)
    assert caught.value.message == f"conf/run.yaml: {message}"
    assert (caught.value.kind, caught.value.exit_code) == ("config", 2)
    assert caught.value.hint


def test_broken_yaml_names_the_line() -> None:
    with pytest.raises(ToolkitError, match=r"^conf/run\.yaml:2: not valid YAML: "):
        load_config(write("run: {seed: 1}\nagents: {a: b: c}\n"))


def test_a_missing_config_file_is_a_config_error() -> None:
    with pytest.raises(ToolkitError) as caught:
        load_config(Path("nowhere.yaml"))
    assert caught.value.message == "nowhere.yaml: No such file or directory"


def test_a_bad_override_names_the_flag_and_what_is_known() -> None:
    with pytest.raises(ToolkitError) as caught:
        load_config(write(TEXT), ["rsr=gemni"])
    error = caught.value
    assert error.message == (
        "--backend: agents.rsr: unknown backend 'gemni', did you mean `gemini`?"
    )
    assert error.hint == "known: fake, gemini, local, rules; a --config file can define more"


def test_the_published_config_has_no_password_and_no_local_folder() -> None:
    text = """
    backends:
      q: {driver: litellm, model: m, api_base: "http://ada:secret@127.0.0.1:8000/v1"}
      l: {driver: llama_cpp, gguf: /home/ada/tiny.gguf}
    run: {cache: /home/ada/cache}
    """
    dump = dump_config(load_config(write(text)))
    assert "ada" not in str(dump)
    assert dump["passed"]["backends"]["q"]["api_base"] == "http://127.0.0.1:8000/v1"
    assert dump["passed"]["run"] == {"cache": "cache"}
    assert dump["resolved"]["backends"]["l"]["gguf"] == "tiny.gguf"
    assert dump["resolved"]["run"]["seed"] == 17
    assert "seed" not in dump["passed"]["run"]


def test_urls_without_a_password_stay_as_they_are() -> None:
    url = "http://127.0.0.1:8000/v1?at=a@b"
    assert without_userinfo(url) == url
