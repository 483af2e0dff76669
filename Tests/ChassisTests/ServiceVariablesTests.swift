import Testing

@testable import Chassis

struct ServiceVariablesTests {
    private func examine(_ values: [String: String]) -> (variables: ServiceVariables, bad: [String]) {
        let (variables, errors) = ServiceVariables.examine(process: 42) { values[$0] }
        return (variables, errors.flatMap(\.variables))
    }

    @Test func `without a service manager nothing is sent`() {
        for values in [[:], ["LISTEN_FDS": "", "LISTEN_PID": "", "NOTIFY_SOCKET": "", "WATCHDOG_USEC": ""]] {
            #expect(examine(values).variables == ServiceVariables())
            #expect(examine(values).bad == [])
        }
    }

    @Test func `notifications arrive`() {
        let (variables, bad) = examine([
            "LISTEN_FDS": "1", "LISTEN_PID": "42", "NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "20000000",
            "WATCHDOG_PID": "42",
        ])
        #expect(bad == [])
        #expect(
            variables
                == ServiceVariables(passesSocket: true, notifySocket: "/run/notify", watchdogLimit: .seconds(20)))
    }

    @Test func `variables for another process are ignored`() {
        let (variables, bad) = examine([
            "LISTEN_FDS": "7", "LISTEN_PID": "41", "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "41",
        ])
        #expect(variables == ServiceVariables())
        #expect(bad == [])
    }

    @Test(arguments: ["1", "", nil])
    func `a socket may be passed without LISTEN_PID`(process: String?) {
        var values = ["LISTEN_FDS": "1"]
        values["LISTEN_PID"] = process == "1" ? "42" : process
        #expect(examine(values).variables.passesSocket)
    }

    @Test(
        arguments: [
            ("LISTEN_FDS", "2"), ("LISTEN_FDS", "-1"), ("LISTEN_FDS", "x"), ("LISTEN_FDS", "99999999999999999999"),
            ("LISTEN_PID", "x"), ("LISTEN_PID", "0"), ("LISTEN_PID", "4294967338"), ("WATCHDOG_USEC", "0"),
            ("WATCHDOG_USEC", "18446744073709551615"), ("WATCHDOG_USEC", "20000000000000000"), ("WATCHDOG_USEC", "20s"),
            ("WATCHDOG_PID", "-1"), ("NOTIFY_SOCKET", "run/notify"), ("NOTIFY_SOCKET", "@"),
            ("NOTIFY_SOCKET", "vsock:2:1"),
            ("NOTIFY_SOCKET", "/" + String(repeating: "a", count: 107)),
        ])
    func `invalid variables are named`(name: String, value: String) {
        var values = ["LISTEN_FDS": "0"]
        values[name] = value
        #expect(examine(values).bad == [name])
        #expect(examine(values).variables == ServiceVariables())
    }

    @Test func `the longest socket path is accepted`() {
        let path = "/" + String(repeating: "a", count: 106)
        #expect(examine(["NOTIFY_SOCKET": path]).variables.notifySocket == path)
    }
}
