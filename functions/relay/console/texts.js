/** Every text of the console that people read, in one place. */

/** @param {number} count @param {string} one @param {string} many */
function counted(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

export const texts = {
  product: "Render Relay",
  nav: "Views",
  board: "Board",
  accounts: "Accounts",
  newJob: "New job",
  signOut: "Sign out",
  readOnly: "Read-only",
  skipToContent: "Skip to content",
  loading: "Loading …",
  close: "Close",
  back: "Back to the board",

  // Signing in
  signInTitle: "Look at your renders",
  signInText:
    "Paste an API key of your relay. It stays in this tab, is sent to this relay only, and is gone when you close the tab or sign out.",
  key: "API key",
  signIn: "Open the board",
  keyRefused: "The relay refused this key.",
  keyMissing: "Enter a key.",
  sharedOriginTitle: "Open the console at its run.app address",
  sharedOrigin:
    "At this older cloudfunctions.net address every function of the project shares one origin, so any of them could read the key of this tab. The address of the jobs_api service that ends in run.app has an origin of its own.",

  // Times
  justNow: "just now",
  /** @param {string} span */
  ago: (span) => `${span} ago`,
  /** @param {string} span */
  inTime: (span) => `in ${span}`,
  anyMoment: "any moment now",

  // Connection
  live: "Live",
  paused: "Paused",
  pause: "Pause",
  resume: "Resume",
  /** @param {string} since @param {string} why */
  trouble: (since, why) =>
    `The relay does not answer since ${since}${why ? ` (${why})` : ""}. What you see is from before; it goes on by itself.`,
  /** @param {string} why */
  refused: (why) => `The relay refuses what this page asks: ${why}.`,

  // Statuses
  /** @type {Record<string, string>} */
  status: {
    queued: "Queued",
    submitting: "Sending",
    processing: "Rendering",
    unconfirmed: "Unconfirmed",
    succeeded: "Succeeded",
    failed: "Failed",
    cancelled: "Cancelled",
  },
  /** @type {Record<string, string>} */
  waitingFor: {
    turn: "Waits for its turn",
    account_hold: "Waits: the provider refuses the account",
    provider_pause: "Waits: the provider asked for a pause or is down",
    retry: "Waits before it is sent again",
  },
  sending: "Being sent to the provider",
  unconfirmed: "Nobody knows whether the provider took it",
  rendering: "Rendering",
  cancelled: "Cancelled",
  /** @param {string} span */
  expected: (span) => `about ${span} left`,
  later: "longer than nearly all such renders",
  /** @param {string} span */
  took: (span) => `took ${span}`,
  /** @param {string} span */
  since: (span) => `for ${span}`,

  // Board
  filters: "Filters",
  provider: "Provider",
  operation: "Operation",
  created: "Created",
  metadata: "Metadata",
  metadataKey: "Metadata key",
  metadataValue: "Metadata value",
  any: "Any",
  anyTime: "Any time",
  /** @type {Record<string, string>} */
  spans: { "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days" },
  ownSpan: "From … to …",
  from: "From",
  to: "To",
  statuses: "Statuses among the jobs shown",
  clear: "Clear filters",
  layout: "Layout",
  both: "Both",
  cards: "Cards",
  list: "List",
  jobList: "Jobs, newest first",
  jobCards: "Pictures, newest first",
  openById: "Job id",
  openByIdHint: "Ours or the provider's",
  open: "Open",
  /** @param {string} id */
  noSuchJob: (id) => `No job of yours has the id ${id}, at this relay or at a provider.`,
  /** @param {number} count */
  shown: (count) => counted(count, "job", "jobs"),
  /** @param {number} count */
  andMore: (count) => `The newest ${count.toLocaleString("en")} jobs`,
  older: "Load older jobs",
  empty: "No jobs yet.",
  emptyText: "Create one here, or send one to the API: it appears by itself.",
  emptyFiltered: "No job matches these filters.",
  holdBanner: "A provider refuses the account, so jobs are waiting.",
  holdLink: "See the accounts",
  bulk: "Bulk …",
  /** @param {Record<string, number>} ended */
  endedAnnouncement: (ended) =>
    Object.entries(ended)
      .map(([status, count]) => `${counted(count, "job", "jobs")} ${status}`)
      .join(", "),

  // Pictures
  before: "Before",
  after: "After",
  /** @param {string} operation */
  beforeOf: (operation) => `Before: ${operation}`,
  /** @param {string} operation */
  afterOf: (operation) => `After: ${operation}`,
  slider: "How much of the picture before is shown, in percent",
  compare: "Compare",
  stopComparing: "Side by side",
  pictureGone: "Picture not available",
  noBefore: "Made without a picture",
  /** @param {number} number @param {number} count */
  outputOf: (number, count) => `Picture ${number} of ${count}`,
  /** @param {number} count */
  moreOutputs: (count) => `+${count}`,
  original: "Open the original",
  late: "Came late",
  lateText: "This result came after the job had ended. It is announced once, as an event of its own.",
  /** @param {string} why */
  notKept: (why) => `Not kept: ${why}`,

  // A job
  job: "Job",
  timeline: "Timeline",
  input: "Input",
  details: "Details",
  copies: "Kept copies",
  callback: "Callback",
  error: "What went wrong",
  providerSaid: "In the provider's own words",
  /** @param {number} status */
  providerStatus: (status) => `HTTP ${status}`,
  toDo: "What to do",
  retryable: "The same input may succeed if you retry.",
  notRetryable: "The same input will probably fail again: correct the cause first.",
  event: "Event",
  /** @param {string} id */
  eventId: (id) => `Announced as ${id}`,
  /** @type {Record<string, string>} */
  by: {
    caller: "by the caller",
    submit: "by the submission",
    poll: "by a poll",
    webhook: "by the provider's callback",
    deadline: "by the deadline",
    pump: "by the pump",
  },
  /** @param {string} span */
  total: (span) => `${span} in all`,
  /** @param {string} when */
  deadlineAt: (when) => `must be done ${when}`,
  /** @type {Record<string, string>} */
  fields: {
    id: "Id",
    provider: "Provider",
    operation: "Operation",
    path: "Path",
    providerJobId: "Provider's id",
    providerStatus: "Provider's last word",
    finishedBy: "Ended by",
    credits: "Credits",
    priority: "Priority",
    onUnconfirmed: "If unconfirmed",
    createdAt: "Created",
    submittedAt: "Sent",
    finishedAt: "Ended",
    deadlineAt: "Deadline",
    retryOf: "Retry of",
  },
  unknownCredits: "not in the price list",
  noInput: "Submitted elsewhere: its input is not known here.",
  noMetadata: "None",
  /** @type {Record<string, string>} */
  callbackStatus: {
    waiting: "Nothing to deliver yet",
    pending: "Being delivered",
    delivered: "Delivered",
    failed: "Given up",
  },
  attempts: "Attempts",
  lastStatus: "Last answer",
  nextAttempt: "Next attempt",
  noAnswer: "none",
  cancel: "Cancel",
  retry: "Retry",
  redeliver: "Send callbacks again",
  copyCurl: "Copy as curl",
  copyId: "Copy the id",
  copied: "Copied",
  copyFailed: "This browser does not let pages copy. Select the text instead.",
  jobGone: "There is no such job, or it is not yours.",

  // Confirmations
  keepIt: "Keep it running",
  notNow: "Not now",
  cancelTitle: "Cancel this job?",
  /** @param {boolean} wasSent */
  cancelText: (wasSent) =>
    wasSent
      ? "The provider cannot cancel: it goes on rendering and charges what it charges. The relay stops following; a result that still comes is kept as a late one."
      : "It has not been sent yet, so it costs nothing.",
  cancelYes: "Cancel the job",
  retryTitle: "Retry this job?",
  retryText: "A retry is a new job with the same input. The old one stays as it is.",
  retryUnconfirmed: "The provider may have taken the first one already, so this may be charged twice. The unconfirmed job is cancelled.",
  retryYes: "Create the retry",
  /** @param {number | null} credits */
  costs: (credits) =>
    credits === null
      ? "What it costs is not in the provider's price list."
      : credits === 0
        ? "It costs no credits by the provider's price list."
        : `It costs ${counted(credits, "credit", "credits")} by the provider's price list.`,
  redeliverTitle: "Send the callbacks again?",
  redeliverText: "The receiver gets the job's events again, with the ids they had. It costs no credits.",
  redeliverYes: "Send them again",
  cancelledDone: "The job is cancelled.",
  retriedDone: "The retry is created.",
  redeliveredDone: "The callbacks are on their way.",
  failedDone: "That did not work",
  unreachable: "The relay did not answer. Whether it was done is unknown; look again before you repeat it.",

  // Bulk
  bulkTitle: "Change all jobs that match the filters",
  bulkNoFilter: "No filter is set: this means all of your jobs.",
  bulkCancel: "Cancel all that are open",
  bulkRetry: "Retry all that failed or were cancelled",
  counting: "Counting …",
  /** @param {number} count */
  countingSoFar: (count) => `Counting … ${count.toLocaleString("en")} so far`,
  /** @param {number} count */
  bulkCancelCount: (count) => `${counted(count, "open job matches", "open jobs match")}.`,
  /** @param {number} count */
  bulkRetryCount: (count) => `${counted(count, "job can be retried", "jobs can be retried")}.`,
  /** @param {number} sent */
  bulkCancelText: (sent) =>
    sent === 0
      ? "None of them has been sent yet, so it costs nothing."
      : `${counted(sent, "was", "were")} sent already: the provider goes on rendering and charges what it charges.`,
  /** @param {number} credits @param {number} unknown */
  bulkRetryCost: (credits, unknown) =>
    unknown === 0
      ? `In all ${counted(credits, "credit", "credits")} by the providers' price lists.`
      : `In all at least ${counted(credits, "credit", "credits")}; of ${counted(unknown, "job", "jobs")} the price is not listed.`,
  /** @param {number} count */
  bulkCancelYes: (count) => `Cancel ${counted(count, "job", "jobs")}`,
  /** @param {number} count */
  bulkRetryYes: (count) => `Retry ${counted(count, "job", "jobs")}`,
  /** @param {number} done @param {number} count */
  bulkProgress: (done, count) => `${done.toLocaleString("en")} of ${count.toLocaleString("en")} done`,
  /** @param {number} count */
  bulkFailed: (count) => `${counted(count, "job was", "jobs were")} left out:`,
  bulkStop: "Stop",
  bulkStopped: "Stopped.",
  bulkDone: "Done.",
  bulkNothing: "There is nothing to do.",

  // Accounts
  accountsTitle: "Accounts",
  off: "Not switched on in this deployment.",
  accepting: "Takes jobs.",
  /** @type {Record<string, string>} */
  holds: {
    provider_auth: "the provider refuses the account's key",
    provider_out_of_credits: "the account is out of credits",
  },
  /** @param {string} why @param {number} status */
  onHold: (why, status) => `On hold: ${why} (HTTP ${status}).`,
  /** @type {Record<string, string>} */
  pauses: {
    throttled: "the provider said slow down",
    outage: "the provider does not answer submissions",
    unanswered: "your last submissions got no answer",
  },
  /** @param {string} why */
  onPause: (why) => `Paused: ${why}.`,
  stoppedSince: "Since",
  nextProbe: "It is tried again at",
  waitingHere: "Your jobs wait meanwhile. They fail at their deadline if it is not over by then.",
  /** @param {number} calls @param {string} window */
  limit: (calls, window) => `${calls} calls in ${window}`,
  callLimit: "Call limit",
  openJobs: "Your open jobs",
  queuedJobs: "of them queued",
  operations: "Operations",
  credits: "Credits",
  usualTime: "Usual time",
  source: "From",
  learnt: "learnt here",
  documented: "documentation",
  guess: "a guess",
  legacy: "legacy",
  perField: /** @param {string} field @param {string} amount */ (field, amount) => `${amount} with ${field}`,

  // A new job
  chooseOperation: "Provider and operation",
  required: "required",
  oneOf: /** @param {string} fields */ (fields) => `Exactly one of ${fields}`,
  options: "Options",
  deadlineSeconds: "Time limit in seconds",
  deadlineHint: "60 to 86,400; 900 if empty",
  priority: "Priority",
  onUnconfirmed: "If nobody knows whether it was taken",
  /** @type {Record<string, string>} */
  choices: {
    normal: "Normal",
    low: "Low: after all normal ones",
    wait: "Wait and see",
    resubmit: "Send it again, at most twice",
  },
  callbackUrl: "Callback URL",
  callbackHint: "Gets the job's events by POST",
  metadataHint: "One a line: key = value",
  rawInput: "Input as JSON",
  notJson: "This is not valid JSON.",
  notObject: "This must be a JSON object.",
  yes: "Yes",
  no: "No",
  unset: "Not set",
  listHint: "Several, divided by commas",
  jsonHint: "As JSON",
  request: "The request",
  create: "Create the job",
  createdDone: "The job is created.",
  example: /** @param {string} value */ (value) => `such as ${value}`,
  copy: "Copy",
};
