//! The official Rust client, unchanged, doing what the lines on its standard input say.
//!
//! The orders and answers are those of `tests/interop/official.py`.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use convex::{
    AuthTokenFetcher, AuthenticationToken, ConvexClient, FunctionResult, QuerySubscription, Value,
};
use futures::StreamExt;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::{Mutex, mpsc};

type Tokens = Arc<Mutex<mpsc::UnboundedReceiver<String>>>;

struct Peer {
    client: ConvexClient,
    subscription: Option<QuerySubscription>,
    last: Option<Json>,
    tokens: Tokens,
}

impl Peer {
    async fn carry_out(&mut self, order: &Json) -> Result<Json> {
        match text(order, "do")?.as_str() {
            "query" => outcome(
                self.client
                    .query(&text(order, "path")?, args(order)?)
                    .await?,
            ),
            "mutation" => outcome(
                self.client
                    .mutation(&text(order, "path")?, args(order)?)
                    .await?,
            ),
            "action" => outcome(
                self.client
                    .action(&text(order, "path")?, args(order)?)
                    .await?,
            ),
            "subscribe" => {
                let path = text(order, "path")?;
                self.subscription = Some(self.client.subscribe(&path, args(order)?).await?);
                self.last = None;
                Ok(Json::Null)
            }
            "next" => self.next().await,
            "storm" => self.storm(order).await,
            "auth" => {
                let fetcher = fetcher(self.tokens.clone());
                self.client.set_auth_callback(Some(fetcher)).await;
                Ok(Json::Null)
            }
            "logout" => {
                self.client.set_auth(None).await;
                Ok(Json::Null)
            }
            "admin" => {
                let user = match &order["user"] {
                    Json::Null => None,
                    user => Some(user.clone().try_into()?),
                };
                self.client.set_admin_auth(text(order, "key")?, user).await;
                Ok(Json::Null)
            }
            other => bail!("no such order: {other}"),
        }
    }

    /// The next state that differs from the last: this client repeats itself on every transition.
    async fn next(&mut self) -> Result<Json> {
        loop {
            let subscription = self.subscription.as_mut().context("not subscribed")?;
            let result = subscription.next().await.context("the client is gone")?;
            let state = outcome(result)?;
            if self.last.as_ref() != Some(&state) {
                self.last = Some(state.clone());
                return Ok(state);
            }
        }
    }

    /// Writes `count` lines, reading all states, until there are `total` lines.
    async fn storm(&mut self, order: &Json) -> Result<Json> {
        let name = text(order, "name")?;
        let total = order["total"].as_u64().context("total")? as usize;
        let mut writer = self.client.clone();
        let count = order["count"].as_u64().context("count")?;
        let writing = tokio::spawn(async move {
            for number in 0..count {
                let line = Value::from(format!("{name}-{number}"));
                let args = BTreeMap::from([("line".to_string(), line)]);
                outcome(writer.mutation("log:append", args).await?)?;
            }
            anyhow::Ok(())
        });
        let mut states = vec![];
        loop {
            let state = self.next().await?;
            let length = state.as_array().context("no list")?.len();
            states.push(state);
            if length >= total {
                break;
            }
        }
        writing.await??;
        Ok(json!(states))
    }
}

/// Asks for a token by a line of its own, and waits for the order that brings it.
fn fetcher(tokens: Tokens) -> AuthTokenFetcher {
    Box::new(move |force_refresh| {
        let tokens = tokens.clone();
        Box::pin(async move {
            println!("{}", json!({ "token": force_refresh }));
            let token = tokens.lock().await.recv().await.context("no token")?;
            Ok(AuthenticationToken::User(token))
        })
    })
}

fn text(order: &Json, field: &str) -> Result<String> {
    let text = order[field].as_str();
    Ok(text.with_context(|| format!("no {field}"))?.to_string())
}

fn args(order: &Json) -> Result<BTreeMap<String, Value>> {
    match Value::try_from(order["args"].clone())? {
        Value::Object(args) => Ok(args),
        _ => bail!("the arguments are no object"),
    }
}

fn outcome(result: FunctionResult) -> Result<Json> {
    match result {
        FunctionResult::Value(value) => Ok(value.into()),
        FunctionResult::ErrorMessage(message) => Err(anyhow!(message)),
        FunctionResult::ConvexError(error) => Err(Thrown(error.data.into()).into()),
    }
}

/// A ConvexError's data.
#[derive(Debug)]
struct Thrown(Json);

impl std::fmt::Display for Thrown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "a ConvexError")
    }
}

impl std::error::Error for Thrown {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).context("no deployment URL")?;
    let (give_order, mut orders) = mpsc::unbounded_channel();
    let (give_token, tokens) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            let order: Json = serde_json::from_str(&line)?;
            match order["do"].as_str() {
                Some("token") => give_token.send(text(&order, "value")?)?,
                _ => give_order.send(order)?,
            }
        }
        anyhow::Ok(())
    });
    let mut peer = Peer {
        client: ConvexClient::new(&url).await?,
        subscription: None,
        last: None,
        tokens: Arc::new(Mutex::new(tokens)),
    };
    while let Some(order) = orders.recv().await {
        let answer = match peer.carry_out(&order).await {
            Ok(value) => json!({ "value": value }),
            Err(error) => match error.downcast_ref::<Thrown>() {
                Some(Thrown(data)) => json!({ "error": error.to_string(), "data": data }),
                None => json!({ "error": error.to_string() }),
            },
        };
        println!("{answer}");
    }
    Ok(())
}
