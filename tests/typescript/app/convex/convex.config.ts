import { defineApp } from "convex/server";
import mail from "../mail/convex.config";

const app = defineApp();
app.use(mail);
app.use(mail, { name: "archive" });

export default app;
