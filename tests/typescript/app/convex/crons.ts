import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";

const crons = cronJobs();
crons.interval("tick", { hours: 5 }, internal.tasks.tick, {});
crons.hourly("hourly", { minuteUTC: 17 }, internal.tasks.remind, { text: "hourly" });
crons.daily("daily", { hourUTC: 9, minuteUTC: 30 }, internal.tasks.remind, { text: "daily" });
crons.weekly(
  "weekly",
  { dayOfWeek: "sunday", hourUTC: 1, minuteUTC: 0 },
  internal.tasks.remind,
  { text: "weekly" },
);
crons.monthly("monthly", { day: 1, hourUTC: 2, minuteUTC: 5 }, internal.tasks.remind, {
  text: "monthly",
});
crons.cron("by expression", "0 0 * * 0", internal.tasks.remind, { text: "expression" });

export default crons;
