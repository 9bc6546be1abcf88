//! Calls of a plugin that is ready.

use std::time::Duration;

use lazaret_cell::Refused;
use lazaret_cell::region::ReplyHead;
use lazaret_cell::wire::{self, Operation, Status};

use super::{Cell, End, Ready, Reports};
use crate::call::{self, Function, Lie, Signature, Value};
use crate::outcome::{CallRefusal, Outcome, Symbols, TimeLimit, of_report, with_denials};

/// How long the kernel may take to write its log.
const LOG_PATIENCE: Duration = Duration::from_millis(200);

impl Cell<Ready> {
    /// Looks a function up and prepares calls of it.
    ///
    /// # Errors
    /// [`Outcome::Refused`] when the plugin exports no such function; any other outcome when the cell ended meanwhile.
    pub fn bind(&mut self, signature: &Signature) -> Result<Function, Outcome> {
        self.alive()?;
        if !self.object.exports_function(signature.name()) {
            let exported = self.object.exports().map(|symbol| symbol.name);
            let near = call::nearest(signature.name(), exported).map(str::to_owned);
            return Err(Outcome::Refused(CallRefusal::NoFunction { name: signature.name().to_owned(), near }));
        }
        if self.state.bound >= wire::FUNCTION_LIMIT {
            return Err(Outcome::Refused(CallRefusal::TooManyFunctions));
        }
        let mut payload = signature.prototype().to_bytes();
        payload.extend_from_slice(signature.name().as_bytes());
        self.region.write(0, &payload).map_err(|_| Outcome::Refused(CallRefusal::TooLong))?;
        let head = self.request(Operation::Bind, 0, payload.len() as u32)?;
        let mut number = [0; size_of::<u32>()];
        match head.status {
            Some(Status::Done) if head.length as usize == number.len() => {
                self.region.read(0, &mut number).map_err(|_| self.lied(Lie::Length))?;
                let number = u32::from_ne_bytes(number);
                self.state.bound += 1;
                Ok(Function { signature: signature.clone(), number, cell: self.number })
            }
            Some(Status::NoSymbol) => {
                let name = signature.name().to_owned();
                Err(Outcome::Refused(CallRefusal::NoFunction { name, near: None }))
            }
            Some(Status::Done) => Err(self.lied(Lie::Length)),
            _ => Err(self.lied(Lie::Status)),
        }
    }

    /// Calls a function. It gets `limits.call-time` of the policy, after which the cell is killed.
    pub fn call(&mut self, function: &Function, arguments: &[Value]) -> Outcome {
        self.try_call(function, arguments).unwrap_or_else(|outcome| outcome)
    }

    fn try_call(&mut self, function: &Function, arguments: &[Value]) -> Result<Outcome, Outcome> {
        self.alive()?;
        if function.cell != self.number {
            return Err(Outcome::Refused(CallRefusal::OtherCell));
        }
        let layout = call::put(&self.region, &function.signature, arguments)
            .map_err(|error| Outcome::Refused(CallRefusal::Argument(error)))?;
        let head = self.request(Operation::Call, function.number, layout.request)?;
        match head.status {
            Some(Status::Done) => {
                let returned = call::take(&self.region, &function.signature, &layout, head);
                returned.map(Outcome::Returned).map_err(|lie| self.lied(lie))
            }
            Some(Status::TooLong) => Err(Outcome::Refused(CallRefusal::TooLong)),
            _ => Err(self.lied(Lie::Status)),
        }
    }

    /// Calls that were refused since the last look and did not end the cell: those that the policy answers with `report`, and
    /// where the host watches ([`Host::watching`](crate::Host::watching)) those that the kernel refused. They are the cell's
    /// claim; which layer it was the kernel's log says where AppArmor is one of them and this process may read it, and otherwise
    /// it is predicted from the plan.
    pub fn reports(&mut self) -> Reports {
        let (reports, count) = self.region.reports(self.state.reported);
        let lost = count.saturating_sub(self.state.reported).saturating_sub(reports.len() as u64);
        // Never backwards, whatever the cell writes there.
        self.state.reported = self.state.reported.max(count);
        let symbols = Symbols { object: &self.object, bias: Some(self.state.bias) };
        let noted = reports.iter().filter_map(|report| of_report(report, &symbols, &self.policy, &self.plan)).collect();
        let refused = reports.iter().any(|report| matches!(report.refused, Refused::Kernel(_)));
        let patience = if refused { LOG_PATIENCE } else { Duration::ZERO };
        let pid = self.process.pid();
        let denials = self.state.log.as_mut().map_or_else(Vec::new, |log| log.denials(pid, patience));
        Reports { list: with_denials(noted, &denials, &self.policy), lost }
    }

    /// The outcome that ended the cell, if one did.
    #[must_use]
    pub fn gone(&self) -> Option<&Outcome> {
        self.state.gone.as_ref()
    }

    fn alive(&self) -> Result<(), Outcome> {
        if self.state.gone.is_some() { Err(Outcome::Refused(CallRefusal::CellGone)) } else { Ok(()) }
    }

    fn request(&mut self, operation: Operation, function: u32, length: u32) -> Result<ReplyHead, Outcome> {
        self.sequence = self.sequence.wrapping_add(1);
        self.region.publish(self.sequence, operation, function, length);
        let limit = self.policy.call_time();
        self.wait(limit).map_err(|end| self.died(end))
    }

    fn lied(&mut self, lie: Lie) -> Outcome {
        self.died(End::Lied(lie))
    }

    /// The call ended with the cell.
    fn died(&mut self, end: End) -> Outcome {
        let limit = TimeLimit::Call(self.policy.call_time());
        let outcome = self.ended(end, limit, Some(self.state.bias));
        tracing::info!(pid = self.process.pid(), ?outcome, "cell ended");
        self.state.gone = Some(outcome.clone());
        outcome
    }
}
