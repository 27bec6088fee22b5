"""The cutover as one program of four phases, each after those that it depends on."""

import pulumi

from components.base import sdk_overhead
from components.phases import cut_over, operate, prepare, start_standby
from components.verification import rollback_command
from settings import load_or_stop, warnings

sdk_overhead.leave_out()
settings = load_or_stop()
for warning in warnings(settings):
    pulumi.log.warn(warning)

prepared = prepare(settings)
standby = start_standby(settings, prepared)
served = cut_over(settings, prepared, standby)
nightly = operate(settings, prepared, standby, served)

pulumi.export("active", settings.active)
pulumi.export("host", settings.host.kind)
pulumi.export("sentinel", standby.sentinel.container_name)
if served:
    pulumi.export("handover", served.handover.report)
    pulumi.export("verification", served.verification.report)
    if command := rollback_command(settings, pulumi.get_stack()):
        pulumi.export("rollback", command)
if nightly:
    pulumi.export("nightly", nightly.report)
