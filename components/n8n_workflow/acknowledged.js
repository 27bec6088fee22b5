// Code node "Told": what Discord has taken is remembered as told; the rest is due again at the next look.
const memory = $getWorkflowStaticData('global');
const watched = { ...(memory.watched ?? {}) };
const due = $('What changed').all();
$input.all().forEach((answer, index) => {
  const told = due[index]?.json;
  if (!told || answer.json?.error !== undefined) return;
  const known = { ...watched[told.name], told: told.state };
  if (told.state === 'up') Object.assign(known, { since: 0, ended: 0 });
  watched[told.name] = known;
});
memory.watched = watched;
return [];
