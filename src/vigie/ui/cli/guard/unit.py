"""The systemd unit of the guard, with no more rights than it needs (systemd.exec(5), capabilities(7)).

| capability           | what for                                                                  |
|----------------------|---------------------------------------------------------------------------|
| CAP_SYS_ADMIN        | fanotify on whole file systems; remounting, where that is set             |
| CAP_DAC_READ_SEARCH  | read every file that is judged; open_by_handle_at(2)                      |
| CAP_SYS_PTRACE       | /proc/PID/exe and fd of other users' processes: who wrote, to which client |
| CAP_KILL             | SIGSTOP and SIGCONT to other users' processes                             |
| CAP_NET_ADMIN        | nftables; the kernel's news of forks                                      |
| CAP_SYS_NICE         | come before others: an attack is faster than a nice guard                 |
| CAP_SETUID, CAP_SETGID | workers give their rights up                                            |
| CAP_DAC_OVERRIDE     | Samba's own sockets, for smbcontrol                                       |
"""

CAPABILITIES = (
    "CAP_SYS_ADMIN",
    "CAP_DAC_READ_SEARCH",
    "CAP_DAC_OVERRIDE",
    "CAP_SYS_PTRACE",
    "CAP_KILL",
    "CAP_NET_ADMIN",
    "CAP_SYS_NICE",
    "CAP_SETUID",
    "CAP_SETGID",
)


def unit(program: str, settings: str, state: str, writable: tuple[str, ...], *, contain: bool) -> str:
    """The text of vigie-guard.service.

    `writable` are folders that it writes to besides its state: a vault on this machine, a log, Samba's own.
    """
    folders = " ".join(f'"-{_quoted(path)}"' for path in dict.fromkeys((state, *writable)))
    words = f"{_quoted(program)} guard{' --contain' if contain else ''} --settings {_quoted(settings)}"
    return f"""\
# Written by `vigie guard install`.
[Unit]
Description=Vigie: looks out for ransomware, names it and stops it
Documentation=man:fanotify(7)
After=local-fs.target network.target smbd.service
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart={words} --state {_quoted(state)}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
SuccessExitStatus=1
TimeoutStopSec=90
UMask=0077
OOMScoreAdjust=-900
LimitNOFILE=65536
LimitRTPRIO=1
Environment="NUMBA_CACHE_DIR={_quoted(state)}/numba" "PYTHONDONTWRITEBYTECODE=1"

CapabilityBoundingSet={" ".join(CAPABILITIES)}
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={folders}
PrivateTmp=yes
ProtectHome=read-only
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
LockPersonality=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

[Install]
WantedBy=multi-user.target
"""


def _quoted(path: str) -> str:
    """For a line of a unit: `%` is a specifier there, and quotes end a word."""
    return path.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
