import { cronJobs } from "convex/server";
import { internal } from "./_generated/api";

const crons = cronJobs();

// Every 30 seconds
crons.interval("cleanup", { seconds: 30 }, internal.maintenance.cleanup);

// Daily at 9:30 AM UTC
crons.daily("report", { hourUTC: 9, minuteUTC: 30 }, internal.reports.generate);

// Standard cron syntax
crons.cron("weekly", "0 0 * * 0", internal.backup.run);

export default crons;
