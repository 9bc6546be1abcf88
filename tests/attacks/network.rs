//! The network, and sockets of every kind.

use super::Alone::{Maybe, Works};
use super::Stop::{Does, Errno, NeedsLayer, Refused};
use super::errno::{EACCES, ECONNREFUSED};
use super::{Act, By, CLIENT, CLIENT_OF_ANOTHER_PORT, SERVER, SERVER_OF_ANOTHER_PORT, UDP, act, try_all};

pub(super) fn acts() -> Vec<Act> {
    vec![
        act("connects", "N01", Refused("socket"), Maybe("needs a service"))
            .under(CLIENT_OF_ANOTHER_PORT, Errno(By::Landlock, EACCES))
            .under(CLIENT, Errno(By::Kernel, ECONNREFUSED))
            .at_load(),
        act("listens_without_a_port", "N01", Refused("socket"), Works)
            .under(CLIENT, Refused("listen"))
            .under(SERVER, Does),
        act("takes_a_port", "N01", Refused("socket"), Works)
            .under(CLIENT, Refused("bind"))
            .under(SERVER_OF_ANOTHER_PORT, Errno(By::Landlock, EACCES))
            .under(SERVER, Does),
        act("connects_by_sending", "N01", Refused("socket"), Maybe("needs a service")).under(CLIENT, Refused("sendto")),
        act("connects_at_the_first_write", "N01", Refused("socket"), Works).under(CLIENT, Refused("setsockopt")),
        act("opens_a_multipath_socket", "N01", Refused("socket"), Maybe("needs MPTCP"))
            .under(CLIENT, Refused("socket")),
        act("opens_an_sctp_socket", "N01", Refused("socket"), Maybe("needs SCTP")).under(CLIENT, Refused("socket")),
        act("opens_an_smc_socket", "N01", Refused("socket"), Maybe("needs SMC")).under(CLIENT, Refused("socket")),
        act("opens_an_udp_socket", "N02", Refused("socket"), Works)
            .under(CLIENT, Refused("socket"))
            .under(UDP, NeedsLayer),
        act("opens_an_udp_socket_of_version_six", "N02", Refused("socket"), Works)
            .under(CLIENT, Refused("socket"))
            .under(UDP, NeedsLayer),
        act("opens_an_udp_lite_socket", "N02", Refused("socket"), Maybe("needs UDP-Lite"))
            .under(CLIENT, Refused("socket")),
        act("opens_a_raw_socket", "N02", Refused("socket"), Works).under(CLIENT, Refused("socket")),
        act("opens_a_ping_socket", "N02", Refused("socket"), Maybe("net.ipv4.ping_group_range"))
            .under(CLIENT, Refused("socket")),
        act("opens_a_packet_socket", "N02", Refused("socket"), Works).under(CLIENT, Refused("socket")),
        act("opens_a_netlink_socket_for_routes", "N03", Refused("socket"), Works).under(CLIENT, Refused("socket")),
        act(
            "opens_a_netlink_socket_for_audit",
            "N03",
            Refused("socket"),
            Maybe("the audit protocol wants a capability"),
        )
        .under(CLIENT, Refused("socket")),
        act("opens_a_netlink_socket_for_device_events", "N03", Refused("socket"), Works)
            .under(CLIENT, Refused("socket")),
        act("opens_a_netlink_socket_for_socket_lists", "N03", Refused("socket"), Works)
            .under(CLIENT, Refused("socket")),
        act("opens_a_netlink_socket_for_firewall", "N03", Refused("socket"), Works).under(CLIENT, Refused("socket")),
        act("opens_a_vsock_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_a_crypto_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_a_key_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_an_xdp_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_a_bluetooth_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_a_qipcrtr_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_a_can_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_an_rds_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_a_tipc_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_an_amateur_radio_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_an_infiniband_socket", "N03", Refused("socket"), Maybe("the kernel may lack this family"))
            .under(CLIENT, Refused("socket")),
        act("opens_a_local_socket", "H14 N03", Refused("socket"), Works).under(CLIENT, Refused("socket")).at_load(),
        act("sends_on_an_inherited_socket", "N04 H14", Refused("sendto"), Maybe("needs a socket to inherit")),
        act("connects_an_inherited_socket", "N04", Refused("connect"), Maybe("needs a socket to inherit")),
    ]
}

#[test]
fn acts_on_the_network_are_stopped() {
    try_all(&acts());
}
