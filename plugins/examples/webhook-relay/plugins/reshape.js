// Turns an issue webhook into a chat message.
export function invoke(call) {
  const { issue, sender, repository } = call.event.data;
  if (!issue || !issue.title) {
    rhost.fail("the webhook holds no issue title");
  }
  const where = repository ? `${repository.full_name}: ` : "";
  const who = sender ? ` (by ${sender.login})` : "";
  return {
    url: call.config.url,
    body: { text: `${where}${issue.title}${who}`, link: issue.html_url ?? null },
  };
}
