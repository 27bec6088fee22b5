// Code node "What changed": each probe's answer against the remembered state; one item for every embed that is due.
// components/n8n_workflow/workflow.py writes TARGETS and FAILURES above this. An embed stays due until Discord accepts it.
const memory = $getWorkflowStaticData('global');
const watched = { ...(memory.watched ?? {}) };
const now = Date.now();
const clock = (milliseconds) => new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' ') + ' UTC';
const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value ?? ''));
const oneLine = (value) => text(value).replace(/\s+/g, ' ').slice(0, 300);

function length(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  const parts = [[Math.floor(seconds / 3600), 'h'], [Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's']];
  return parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(' ') || '0 s';
}

function outcome(answer) {
  const status = Number(answer?.statusCode) || 0;
  if (status === 200) return { good: true, status: 'HTTP 200', error: '' };
  if (status) {
    return { good: false, status: `HTTP ${status}`, error: oneLine(answer.body ?? answer.data ?? answer.statusMessage) };
  }
  const error = answer?.error;
  return { good: false, status: 'no answer', error: oneLine(error?.message ?? error ?? 'no reason given') };
}

const answers = $input.all();
const due = [];
TARGETS.forEach((target, index) => {
  const probe = outcome(answers[index]?.json);
  const known = { fails: 0, since: 0, ended: 0, reported: 'up', ...(watched[target.name] ?? {}) };
  if (probe.good) {
    known.fails = 0;
    if (known.reported === 'down') known.ended ||= now;
    else known.since = 0;
  } else {
    known.fails += 1;
    known.since ||= now;
    known.ended = 0;
  }
  watched[target.name] = known;
  const since = { name: 'Since', value: clock(known.since), inline: true };
  if (known.reported === 'up' && known.fails >= FAILURES) {
    due.push({ json: { name: target.name, state: 'down', embed: {
      title: target.down, description: target.impact, color: 15158332, timestamp: new Date(now).toISOString(),
      fields: [
        { name: 'Status', value: probe.status, inline: true },
        since,
        { name: 'Error', value: probe.error || 'none given', inline: false },
      ],
    } } });
  } else if (known.reported === 'down' && probe.good) {
    due.push({ json: { name: target.name, state: 'up', embed: {
      title: target.up, description: `It answers again after ${length(known.ended - known.since)}.`, color: 3066993,
      timestamp: new Date(now).toISOString(),
      fields: [
        { name: 'Outage', value: length(known.ended - known.since), inline: true },
        since,
        { name: 'Until', value: clock(known.ended), inline: true },
      ],
    } } });
  }
});
memory.watched = watched;
return due;
