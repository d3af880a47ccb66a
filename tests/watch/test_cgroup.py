import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.watch.cgroup import membership

ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "unit", "container"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service", ""),
        ("0::/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", ""),
        ("0::/user.slice/user-1000.slice/session-3.scope", "session-3.scope", ""),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox.scope",
            "user@1000.service",
            "",
        ),
        ("0::/system.slice/dev-disk\\x2d1.mount (deleted)", "dev-disk\\x2d1.mount", ""),
        ("0::/system.slice/_cgroup.service", "cgroup.service", ""),
        ("0::/init.scope", "init.scope", ""),
        ("0::/", "", ""),
        ("0::/../../system.slice/ssh.service", "ssh.service", ""),
        ("0::/-.slice", "", ""),
        (f"0::/system.slice/docker-{ID}.scope", f"docker-{ID}.scope", ID),
        (f"0::/docker/{ID}", "", ID),
        (f"0::/docker/{ID}/init.scope", "", ID),
        (f"0::/machine.slice/libpod-{ID}.scope/container", f"libpod-{ID}.scope", ID),
        (f"0::/machine.slice/libpod-conmon-{ID}.scope", f"libpod-conmon-{ID}.scope", ""),
        (
            f"0::/user.slice/user-7.slice/user@7.service/user.slice/libpod-{ID}.scope",
            "user@7.service",
            ID,
        ),
        (
            f"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope",
            f"cri-containerd-{ID}.scope",
            ID,
        ),
        (f"0::/kubepods/burstable/pod1234-5678/{ID}", "", ID),
        (f"0::/ecs/task/{ID}", "", ID),
        (f"0::/kubepods/burstable/pod1/crio-{ID}", "", ID),
        ("0::/lxc.payload.web-1/system.slice/nginx.service", "", "web-1"),
        ("0::/lxc/web/init", "", "web"),
        ("0::/lxc/we b", "", ""),
        ("0::/machine.slice/machine-db1.scope", "machine-db1.scope", "db1"),
        ("0::/machine.slice/systemd-nspawn@db2.service/payload", "systemd-nspawn@db2.service", "db2"),
        (f"0::/docker/{ID}/docker/{ID[::-1]}", "", ID[::-1]),
        # Version 1, and both.
        (
            f"12:pids:/docker/{ID}\n3:cpu,cpuacct:/docker/{ID}\n1:name=systemd:/system.slice/d.service",
            "d.service",
            ID,
        ),
        (f"4:memory:/docker/{ID}\n0::/system.slice/a.service", "a.service", ID),
        (f"4:memory:/elsewhere/{ID}", "", ""),
        # What makes no sense, or would say what it should not.
        ("", "", ""),
        ("nonsense\n:::\n0:x\n0::relative", "", ""),
        ("0::/system.slice/\x1b[2J.service", "", ""),
        ("0::/evil name.service/docker/short", "", ""),
        ("0::/" + "a" * 300 + ".service", "", ""),
    ],
)
def test_units_and_containers(text: str, unit: str, container: str) -> None:
    assert membership(text) == (unit, container)


@settings(max_examples=200, deadline=None)
@given(st.text("0:/\n.-_abdockerlxs cif\udce9\x1b", max_size=200) | st.text(max_size=100))
def test_any_text_gives_words_that_can_be_shown(text: str) -> None:
    for word in membership(text):
        assert len(word) <= 260
        assert word.isprintable()


def test_what_is_endless_is_not_read_to_its_end() -> None:
    deep = "0::" + "/a" * 100_000 + "/x.service"
    many = "9:cpu:/a\n" * 100_000 + "0::/x.service"
    assert membership(deep) == membership(many) == ("", "")
