// How long operations may take. Those that begin together have one timer of the platform's for all that take as long.

// Rings after so many milliseconds, unless the function that it gives is called. `alarms` are those of what begins together,
// undefined for what is alone.
export function alarm(alarms, ms, ring) {
  if (alarms === undefined) {
    const timer = setTimeout(ring, Number(ms));
    return () => clearTimeout(timer);
  }
  const known = alarms.get(ms);
  const group = known ?? { rings: new Set(), timer: null };
  group.rings.add(ring);
  if (known === undefined) {
    alarms.set(ms, group);
    group.timer = setTimeout(() => group.rings.forEach((one) => one()), Number(ms));
  }
  return () => {
    if (group.rings.delete(ring) && group.rings.size === 0) clearTimeout(group.timer);
  };
}
