//! The command line of the kit: services for people who try edgate out.

use clap::Parser;
use edgate_kit::demo::{Demo, PORT_BASE};

/// Services to put a gateway before.
#[derive(Parser)]
#[command(name = "edgate-kit", version)]
enum Command {
    /// Run the services `orders`, `users` and `echo`, and the `issuer` of tokens, until interrupted.
    Demo {
        /// The port of `orders`; `users`, `echo` and `issuer` have the next three. 0 takes free ones.
        #[arg(long, default_value_t = PORT_BASE)]
        port_base: u16,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Command::Demo { port_base } = Command::parse();
    let demo = Demo::start(port_base).await?;
    for (name, address) in &demo.addresses {
        println!("{name:<6} http://{address}");
    }
    demo.serve().await;
    Ok(())
}
