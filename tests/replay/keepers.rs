//! Who keeps the counters of limits beside the gateway, and what happens to them: a Redis on Spin, another process on
//! workerd where the scenario has it fail.

use crate::start::{start, start_with};
use anyhow::{Result, bail};
use edgate_kit::redis::{Keeping, Redis};
use edgate_kit::running::{Deployment, Running};
use edgate_kit::scenario::counters::Happening;
use edgate_kit::scenario::{HostName, Scenario};
use edgate_kit::workerd::{Counters, Workerd};

/// Who keeps counters.
pub enum Keeper {
    /// The gateway's own process.
    Gateway,
    Redis(Box<Redis>),
    /// A workerd that is there for its counters alone.
    Workerd(Box<Workerd>),
}

impl Keeper {
    /// Starts whoever a scenario needs, and writes down in it where that is.
    pub async fn start(host: HostName, scenario: &mut Scenario, deployment: &Deployment) -> Result<Keeper> {
        let fails = |happening| matches!(happening, Some(Happening::Down | Happening::Slow));
        let fails = scenario.exchanges.iter().any(|exchange| fails(exchange.counters));
        match (host, scenario.config.pointer_mut("/gateway/redis")) {
            (HostName::Spin, Some(named)) => {
                let redis = Redis::start_that_keeps(Keeping::Values).await?;
                *named = redis.url().into();
                Ok(Keeper::Redis(Box::new(redis)))
            }
            (HostName::Workerd, _) if fails => {
                match start_with(host, deployment, Vec::new(), Counters::Offered).await? {
                    Running::Workerd(workerd) => Ok(Keeper::Workerd(Box::new(workerd))),
                    Running::Spin(_) => bail!("it is no workerd"),
                }
            }
            _ => Ok(Keeper::Gateway),
        }
    }

    /// Starts the gateway, which may call the addresses in `allowed`.
    pub async fn gateway(&self, host: HostName, deployment: &Deployment, mut allowed: Vec<String>) -> Result<Running> {
        match self {
            Keeper::Workerd(workerd) => {
                let counters = workerd.counters().map_or(Counters::Own, Counters::At);
                start_with(host, deployment, allowed, counters).await
            }
            Keeper::Redis(redis) => {
                allowed.push(redis.url());
                start(host, deployment, allowed).await
            }
            Keeper::Gateway => start(host, deployment, allowed).await,
        }
    }

    /// Has something happen to them.
    pub async fn happens(&mut self, happening: Happening, gateway: &mut Running) -> Result<()> {
        match (self, gateway) {
            (Keeper::Redis(redis), _) => of_redis(redis, happening).await,
            (Keeper::Workerd(workerd), _) => of_workerd(workerd, happening).await,
            (Keeper::Gateway, Running::Workerd(workerd)) => of_workerd(workerd, happening).await,
            (Keeper::Gateway, Running::Spin(spin)) => match happening {
                Happening::Corrupt => spin.overwrite("default"),
                Happening::Flush => Ok(()),
                other => bail!("{other:?} needs `gateway.redis` on Spin"),
            },
        }
    }
}

async fn of_redis(redis: &mut Redis, happening: Happening) -> Result<()> {
    match happening {
        Happening::Down => redis.kill().await,
        Happening::Slow => redis.pause()?,
        Happening::Up => {
            redis.start_unless_it_runs().await?;
            redis.resume()?;
        }
        Happening::Corrupt => redis.corrupt().await?,
        Happening::Restart => redis.restart().await?,
        Happening::Flush => redis.forget_scripts().await?,
    }
    Ok(())
}

async fn of_workerd(workerd: &mut Workerd, happening: Happening) -> Result<()> {
    match happening {
        Happening::Down => workerd.kill().await,
        Happening::Slow => workerd.pause()?,
        Happening::Up => {
            workerd.start_unless_it_runs().await?;
            workerd.resume()?;
        }
        Happening::Corrupt => workerd.corrupt_objects().await?,
        Happening::Restart => workerd.restart().await?,
        // Scripts are Redis's alone.
        Happening::Flush => {}
    }
    Ok(())
}
