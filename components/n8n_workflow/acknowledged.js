// Code node "Acknowledged": a message that Discord accepted counts as reported; the others are due again at the next probe.
const memory = $getWorkflowStaticData('global');
const watched = { ...(memory.watched ?? {}) };
const due = $('What changed').all();
$input.all().forEach((answer, index) => {
  const message = due[index]?.json;
  if (!message || answer.json?.error !== undefined) return;
  const known = { ...watched[message.name], reported: message.state };
  if (message.state === 'up') Object.assign(known, { since: 0, ended: 0 });
  watched[message.name] = known;
});
memory.watched = watched;
return [];
