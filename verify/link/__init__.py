"""The one ssh connection to the host, which every action, every check and the Docker plugin share.

    ssh of an action, of `verify`, of the Docker plugin --(ControlPath)--> near end ==one session of ssh==> far end

`target.py` has ssh's options; `near_end.py` is the process that holds the connection, and `hostctl/link` its other end;
`mux.py` is the protocol by which ssh reaches it; `start.py` starts it. Where none runs, each ssh connects on its own.
Deliberately does not: use ssh's own ControlMaster, which opens a session for each command: sshd's MaxSessions may be 2,
and the Docker plugin alone keeps two open.
"""
