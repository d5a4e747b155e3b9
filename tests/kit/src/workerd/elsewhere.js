// A namespace of Durable Objects whose objects are in another process: what `counters.js` there offers.

export default function ({ counters }) {
  const count = async (counter, ask) => {
    const response = await counters.fetch("http://counters/", { method: "POST", body: JSON.stringify([counter, ask]) });
    const text = await response.text();
    if (response.status !== 200) throw new Error(text);
    return text;
  };
  return { getByName: (counter) => ({ count: (ask) => count(counter, ask) }) };
}
