"""Jobs that the host runs: at boot, every minute, daily, or in a script of the operator's."""
