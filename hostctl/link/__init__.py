"""The one connection by which everything reaches a host behind ssh: many streams over the bytes of one ssh session."""
