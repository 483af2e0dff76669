import Vial

// Faults.
extension World {
    func begin(_ incident: Life.Incident) {
        note("incident: \(incident.fault) for \(incident.duration / .microsecond) µs")
        let end = now + incident.duration
        switch incident.fault {
        case .pause:
            see(.processPaused)
            pausedTime += incident.duration
            pausedUntil = max(pausedUntil, end)
            queue.schedule(.loopResumes, at: pausedUntil)
        case .endOne:
            if let backend = anyBackend {
                see(.sessionEnded)
                self.end(backend, .shutdown)
            }
        case .endAll: endAll()
        case .resetOne:
            if let backend = anyBackend { reset(backend) }
        case .resetAll: for backend in backends where backend.isOpen { reset(backend) }
        case .restart:
            see(.serverRestarted)
            endAll()
            server.downUntil = max(server.downUntil, end)
        case .refuse:
            if dice.percent(50) { endAll() }
            server.refusesUntil = max(server.refusesUntil, end)
        case .crowd:
            if dice.percent(50) { endAll() }
            server.crowdedUntil = max(server.crowdedUntil, end)
        case .muteAndLose:
            see(.answersLost)
            server.muteUntil = max(server.muteUntil, end)
        case .deafAndLose:
            see(.requestsLost)
            server.deafUntil = max(server.deafUntil, end)
        case .hold:
            see(.bytesHeld)
            server.heldUntil = max(server.heldUntil, end)
        case .readOnly:
            see(.readOnly)
            server.readOnlyUntil = max(server.readOnlyUntil, end)
        case .oldPrimary:
            see(.oldPrimary)
            for backend in backends where backend.isOpen { backend.isOldPrimary = true }
        case .stalePlans:
            see(.stalePlan)
            for backend in backends where backend.isOpen { backend.isStale = true }
        case .standbyStalls:
            see(.standbyStalled)
            server.stalledUntil = max(server.stalledUntil, end)
            queue.schedule(.standbyReturns, at: server.stalledUntil)
        case .slowConnects: server.slowUntil = max(server.slowUntil, end)
        case .displacement:
            for client in clients[..<clientCount] where client.socket.isOpen && client.exchange.idleDeadline != nil {
                see(.displaced)
                feed(client, .displaced)
                break
            }
        case .adminCancels:
            for backend in backends where backend.isOpen { cancelArrives(at: backend, isByService: false) }
        }
    }

    /// The standby is back: commits that waited for it end.
    func standbyReturns() {
        for backend in backends where backend.work == .commit && now >= server.stalledUntil { workEnds(backend) }
    }

    private func endAll() {
        see(.sessionEnded)
        for backend in backends where backend.isOpen { end(backend, .shutdown) }
    }

    private var anyBackend: Backend? {
        let open = backends.filter(\.isOpen)
        return open.isEmpty ? nil : open[dice.below(open.count)]
    }
}
