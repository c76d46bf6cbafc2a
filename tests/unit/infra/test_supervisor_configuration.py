import stat
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from infra.local.program import Program
from infra.local.supervision import conf
from infra.settings import Settings, SettingsError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("supervisor", "logs", "work of art"):
        (tmp_path / name).mkdir()
    return tmp_path


def program(home: Path, **changes: object) -> Program:
    values: dict[str, object] = {
        "name": "kafka",
        "argv": ("/bin/with space/java", "-Dmessage=100% it's"),
        "env": {"URL": "postgresql://a@b/c?passfile=/x%20y", "TWO": "a b, c=d"},
        "directory": home / "work of art",
        "stage": 20,
    }
    return Program(**values | changes)  # type: ignore[arg-type]


def understood_by_supervisord(home: Path, *programs: Program) -> ServerOptions:
    conf.write_configuration(home, programs)
    options = ServerOptions()
    options.realize(["-c", str(conf.configuration_path(home))])
    return options


def test_supervisord_understands_what_is_meant(home: Path) -> None:
    [group] = understood_by_supervisord(
        home, program(home, fingerprint="abc")
    ).process_group_configs
    [config] = group.process_configs
    assert config.command == "'/bin/with space/java' '-Dmessage=100% it'\"'\"'s'"
    assert config.environment == {
        "URL": "postgresql://a@b/c?passfile=/x%20y",
        "TWO": "a b, c=d",
        "TAILRACE_FINGERPRINT": "abc",
    }
    assert config.directory == str(home / "work of art")
    assert config.stdout_logfile == str(home / "logs" / "kafka.log")


def test_a_clone_may_be_in_a_folder_with_a_percent_sign(home: Path) -> None:
    (home / "feature%2Fx").mkdir()
    [group] = understood_by_supervisord(
        home, program(home, directory=home / "feature%2Fx")
    ).process_group_configs
    assert group.process_configs[0].directory == str(home / "feature%2Fx")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        *(
            ({"env": {"AUDIENCE": value}}, "AUDIENCE")
            for value in ("Shop #1", "a\t;b", 'a"b', "'a", "a'", "a\nb", "a\rb")
        ),
        ({"directory": Path("/a #1")}, "the path of this clone"),
        ({"argv": ("/a ;b/python",)}, "the command line of kafka"),
    ],
)
def test_what_supervisord_would_understand_otherwise_is_refused(
    home: Path, changes: dict[str, object], name: str
) -> None:
    with pytest.raises(SettingsError, match=f"told {name}, "):
        conf.render(home, [program(home, **changes)])


def test_what_looks_like_a_comment_and_is_none_is_told(home: Path) -> None:
    told = {"A": "x;y#z", "B": "it's"}
    [group] = understood_by_supervisord(home, program(home, env=told)).process_group_configs
    assert told.items() <= group.process_configs[0].environment.items()


def test_a_process_that_dies_soon_is_backed_off(home: Path) -> None:
    [group] = understood_by_supervisord(home, program(home)).process_group_configs
    [config] = group.process_configs
    assert config.autostart is False
    assert config.startsecs == 10
    assert config.startretries == 30
    assert config.killasgroup
    assert config.stopasgroup


def test_a_one_shot_program_is_not_restarted(home: Path) -> None:
    [group] = understood_by_supervisord(home, program(home, restart=False)).process_group_configs
    [config] = group.process_configs
    assert not config.autorestart
    assert config.startsecs == 0


def test_the_configuration_is_closed_to_others(home: Path) -> None:
    conf.write_configuration(home, [])
    assert stat.S_IMODE(conf.configuration_path(home).stat().st_mode) == 0o600


def test_the_socket_is_in_the_home_if_its_path_is_short(tmp_path: Path) -> None:
    home = Path("/short")
    assert conf.socket_path(home) == home / "supervisor" / "control.sock"


def test_the_socket_of_a_long_home_is_in_a_place_of_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    home = Path("/long") / ("x" * 100)
    path = conf.socket_path(home)
    assert path.parent.parent == tmp_path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert conf.socket_path(home) == path
    path.parent.chmod(0o777)
    with pytest.raises(conf.SocketError, match="open to others"):
        conf.socket_path(home)


def test_the_socket_of_a_long_home_is_found_in_another_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ("x" * 100)
    (home / "supervisor").mkdir(parents=True)
    places = [tmp_path / name for name in ("first", "second", "third")]
    for place in places:
        place.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(places[0]))
    conf.write_configuration(home, [])
    path = conf.socket_path(home)
    for place in places[1:]:
        monkeypatch.setattr("tempfile.gettempdir", lambda place=place: str(place))
        assert conf.socket_path(home) == path
        conf.write_configuration(home, [])
        assert f"file={path}\n" in conf.configuration_path(home).read_text()
    path.parent.chmod(0o755)
    assert conf.socket_path(home).is_relative_to(places[-1])
    path.parent.rmdir()
    assert conf.socket_path(home).is_relative_to(places[-1])


def test_what_marks_processes_is_no_setting_that_another_program_is_given() -> None:
    told = {f"TAILRACE_{name.upper()}" for name in Settings.model_fields}
    assert not told & {conf.MARKER_VARIABLE, conf.FINGERPRINT_VARIABLE}
