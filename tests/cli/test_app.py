"""The command line itself: what plugins add to it, and what it says when something is missing or wrong."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

import mixstore
from mixstore.cli import main

HELLO = """
    from mixstore.hookspecs import hookimpl

    @hookimpl
    def mixstore_register_commands(app):
        @app.command()
        def {command}(name: str) -> None:
            "Say hello."
            print("hello", name)
"""


@pytest.fixture
def install(write, points, monkeypatch, tmp_path):
    """install(plugin, source): a plugin that the command finds."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(plugin: str, source: str) -> None:
        module = f"{plugin.replace('-', '_')}_plugin"
        write(f"{module}.py", source)
        points.append(EntryPoint(plugin, module, "mixstore"))

    return install


def call(monkeypatch, capsys, *arguments):
    """(exit code, stdout, stderr) of `mixstore` with these arguments, in this process."""
    monkeypatch.setattr(sys, "argv", ["mixstore", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, *capsys.readouterr()


def test_the_version_is_the_packages(run):
    assert run("--version").stdout == f"mixstore {mixstore.__version__}\n"


def test_help_lists_the_commands_of_the_kernel_and_of_plugins(run):
    text = run("--help").stdout
    for command in ("check", "demo", "init", "plugins"):
        assert command in text


def test_a_plugin_adds_a_command(run, install):
    install("acme", HELLO.format(command="hello"))
    done = run("hello", "Ada")
    assert (done.exit_code, done.stdout) == (0, "hello Ada\n")


def test_a_plugin_adds_a_group_of_commands(run, install):
    source = """
        import typer
        from mixstore.hookspecs import hookimpl

        group = typer.Typer()

        @group.command()
        def up() -> None:
            print("up")

        @group.command()
        def down() -> None:
            print("down")

        @hookimpl
        def mixstore_register_commands(app):
            app.add_typer(group, name="move")
    """
    install("acme", source)
    assert run("move", "down").stdout == "down\n"


def test_a_plugin_may_leave_the_app_out_of_its_hook(run, install):
    install("acme", "from mixstore.hookspecs import hookimpl\n@hookimpl\ndef mixstore_register_commands():\n    pass\n")
    assert '"state": "failed"' not in run("plugins", "--json").stdout


def test_a_command_that_is_taken_names_both_plugins_and_the_first_one_works(run, install):
    install("a-acme", HELLO.format(command="hello"))
    install("b-box", HELLO.format(command="hello"))
    assert run("hello", "Ada").stdout == "hello Ada\n"
    assert "command 'hello' of plugin 'b-box' is already registered by plugin 'a-acme'" in run("plugins").stdout


def test_a_plugin_cannot_take_a_command_of_the_kernel(run, install):
    install("acme", HELLO.format(command="check"))
    assert "command 'check' of plugin 'acme' is already registered by mixstore" in run("plugins").stdout


def test_a_plugin_whose_commands_fail_registers_nothing_and_the_rest_work(run, install, fresh):
    source = """
        from mixstore.hookspecs import hookimpl

        class Factory:
            @classmethod
            def from_url(cls, url):
                raise NotImplementedError

        @hookimpl
        def mixstore_register_backends(register):
            register("box", Factory)

        @hookimpl
        def mixstore_register_commands(app):
            app.command("half")(lambda: None)
            raise OSError("no licence")
    """
    install("a-broken", source)
    install("b-acme", HELLO.format(command="hello"))
    assert run("hello", "Ada").exit_code == 0
    assert run("half").exit_code == 2
    assert "box" not in fresh.backends
    broken = next(info for info in fresh.plugins if info.name == "a-broken")
    assert (broken.state, broken.hooks, broken.backends) == ("failed", (), ())
    assert "OSError: no licence" in broken.error


def test_a_plugin_cannot_put_a_callback_before_every_command(run, install):
    source = """
        from mixstore.hookspecs import hookimpl

        @hookimpl
        def mixstore_register_commands(app):
            app.callback()(lambda: print("I am everywhere"))
    """
    install("acme", source)
    listed = run("plugins").stdout
    assert "I am everywhere" not in listed
    assert "it may add commands only" in listed


def test_strict_raises_what_breaks_while_commands_are_added(run, install, monkeypatch):
    monkeypatch.setenv("MIXSTORE_STRICT", "1")
    install("acme", HELLO.format(command="check"))
    with pytest.raises(mixstore.PluginError, match="plugin 'acme' failed: command 'check'"):
        run("plugins")


def test_what_mixstore_refuses_in_a_command_of_a_plugin_is_no_traceback(run, install):
    source = """
        from mixstore import ConfigurationError
        from mixstore.hookspecs import hookimpl

        @hookimpl
        def mixstore_register_commands(app):
            @app.command()
            def refuse() -> None:
                raise ConfigurationError("there is no store", hint="make one")
    """
    install("acme", source)
    done = run("refuse")
    assert (done.exit_code, done.stderr) == (1, "mixstore: there is no store\n  hint: make one\n")


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("missing", ["rich", "typer"])
def test_without_the_extra_one_line_says_what_to_install(monkeypatch, capsys, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    code, out, err = call(monkeypatch, capsys, "plugins")
    assert (code, out) == (1, "")
    assert err == "mixstore: the command line needs Typer and Rich: pip install 'mixstore[cli]'\n"


@pytest.mark.usefixtures("fresh")
def test_broken_settings_are_told_all_at_once_and_without_a_traceback(monkeypatch, capsys, write):
    write("mixstore.toml", "[plugin]\n[backends.default]\nurl = 3\n")
    code, out, err = call(monkeypatch, capsys, "plugins")
    assert (code, out) == (1, "")
    assert err.startswith("mixstore: 2 mistakes in the settings:")
    assert "did you mean 'plugins'?" in err
    assert "Traceback" not in err
