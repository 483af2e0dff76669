import CLinux
import CProcess
import FoundationEssentials
import Glibc

/// What a process can do about itself.
enum CurrentProcess {
    /// What it was called with, without its own name.
    static var arguments: [String] {
        // Each argument ends with its NUL, lives as long as the process, and is copied at once.
        (0..<cprocess_argument_count()).dropFirst().compactMap { unsafe String(cString: cprocess_argument($0)) }
    }

    /// The machine's own name, for logs, when no better identity is given.
    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        // The last byte stays NUL whatever the length.
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Raises the limit of descriptors that may be open at once to the most that is allowed.
    ///
    /// - Returns: the limit; without bound where the system does not tell.
    static func raiseDescriptorLimit() -> Int {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        // `limit` is a local that outlives each call.
        guard unsafe getrlimit(resource, &limit) == 0 else { return .max }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        if unsafe setrlimit(resource, &raised) == 0 { limit = raised }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many of the first thousand descriptors are open: those that the process was started with.
    static var openDescriptorCount: Int {
        (0..<Int32(1024)).count { fcntl($0, F_GETFD) >= 0 }
    }

    /// Opens those of the standard descriptors that the process was started without: the next thing that is opened would have
    /// their numbers, and what is printed would go into a connection.
    static func openStandardDescriptors() {
        // Each call takes the lowest number that is free.
        var number = clinux_open_null()
        while 0...2 ~= number { number = clinux_open_null() }
        if number > 2 { close(number) }
    }

    /// Makes an error of a write that would end the process: to a reader that is gone, or beyond the size that a file may
    /// have (RLIMIT_FSIZE). A log may go or be full while clients are served.
    static func ignoreWriteSignals() {
        _ = signal(SIGPIPE, SIG_IGN)
        _ = signal(SIGXFSZ, SIG_IGN)
    }

    /// Removes the variables by which libpq and libcurl would be told what no variable of ours says: where the database is, who
    /// asks for what, and into which file the keys of TLS connections are written. To be called before a second thread
    /// begins, since others may read the environment meanwhile.
    ///
    /// - Returns: a warning that names them, for whoever set one.
    static func removeLibraryVariables() -> [String] {
        let names = ProcessInfo.processInfo.environment.keys.filter { $0.hasPrefix("PG") || $0 == "SSLKEYLOGFILE" }
        // setenv(3) and its kin are not to run beside each other, which one thread alone cannot do.
        for name in names { unsafe unsetenv(name) }
        guard !names.isEmpty else { return [] }
        return [
            "\(names.sorted().joined(separator: ", ")): set, and not used; DB_* alone say how the database is reached"
        ]
    }

    /// Unmaps the pages of the program and its libraries that are as they are in their files. What is still needed comes
    /// back from the page cache, 64 KiB by a page fault.
    ///
    /// Four fifths of them are touched by a start alone (the dynamic linker's tables, the parsers of commands and
    /// configuration) and the kernel keeps what is mapped before what is merely cached. Resident with 64 clients: 16 MiB
    /// instead of 24, idle: 8 instead of 22. A container is charged for cached pages until the kernel reclaims them.
    static func releaseReadOnlyPages() {
        let release: @convention(c) (UnsafeMutablePointer<dl_phdr_info>?, Int, UnsafeMutableRawPointer?) -> Int32 = {
            (object, _, _) in
            guard let object = unsafe object?.pointee else { return 0 }
            let pageSize = UInt64(getpagesize())
            for index in 0..<Int(unsafe object.dlpi_phnum) {
                // The dynamic linker's own table, which stays for as long as the object is loaded.
                let segment = unsafe object.dlpi_phdr[index]
                // What is writable in the file holds relocated addresses, which are nowhere else.
                guard segment.p_type == PT_LOAD, segment.p_flags & UInt32(PF_W) == 0 else { continue }
                let start = unsafe (object.dlpi_addr + segment.p_vaddr) / pageSize * pageSize
                let end = unsafe object.dlpi_addr + segment.p_vaddr + segment.p_memsz
                _ = unsafe madvise(UnsafeMutableRawPointer(bitPattern: UInt(start)), Int(end - start), MADV_DONTNEED)
            }
            return 0
        }
        _ = unsafe dl_iterate_phdr(release, nil)
    }

    /// Writes out what was printed, which the end of the process does not.
    static func flushOutput() {
        _ = fflush(nil)
    }

    /// Ends the process as it stands, without `exit`: that lets libraries clean up (OPENSSL_cleanup(3)), below the hands of
    /// a thread that still connects to the database or asks for a secret.
    static func end(status: Int32) -> Never {
        _exit(status)
    }
}
