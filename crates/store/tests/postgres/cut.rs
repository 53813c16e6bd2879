//! A way to the database that is cut at the moment of a commit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to the next commit that comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    /// Nothing.
    None,
    /// It does not reach the database.
    Before,
    /// It reaches the database, but its answer is lost.
    After,
}

/// A proxy that looks for commits. It ends with the runtime.
pub(crate) struct Way {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    cut: Arc<AtomicU8>,
}

impl Way {
    pub(crate) async fn to(database: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(AtomicU8::new(Cut::None as u8));
        let seen = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (database, cut) = (database.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let server = TcpStream::connect(database).await.unwrap();
                    carry(client, server, &cut).await;
                });
            }
        });
        Self { address, cut }
    }

    /// Cuts at the next commit, once.
    pub(crate) fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    /// Whether the cut was made.
    pub(crate) fn was_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst) == Cut::None as u8
    }
}

/// Carries both ways until one ends or a commit is cut.
async fn carry(mut client: TcpStream, mut server: TcpStream, cut: &AtomicU8) {
    let (mut asked, mut said) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let commits = asked[..length].windows(6).any(|text| text == b"COMMIT");
                let cut = if commits { cut.swap(Cut::None as u8, Ordering::SeqCst) } else { 0 };
                if cut == Cut::Before as u8 {
                    return;
                }
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
                if cut == Cut::After as u8 {
                    // It has committed once it answers.
                    drop(server.read(&mut said).await);
                    return;
                }
            }
            read = server.read(&mut said) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&said[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
