// Has the gateway do what it does on a schedule, for a time, and answers with what has come of it.

export default {
  async fetch(request, env) {
    const scheduledTime = new Date(Number(new URL(request.url).searchParams.get("time")));
    const { outcome } = await env.GATEWAY.scheduled({ scheduledTime, cron: "* * * * *" });
    return new Response(outcome);
  },
};
