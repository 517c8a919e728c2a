#include "stress/delivery_audit.h"

#include <map>
#include <utility>

namespace atalaya::stress {
namespace {

class Audit {
 public:
  Audit(const LoadPlan& plan, std::span<const std::unique_ptr<Worker>> workers)
      : plan_(plan), publishers_(plan.roster().publishers()) {
    for (const Flow& flow : plan.scenario().flows) {
      figures_.emplace_back();
      rules_.push_back({flow.qos, flow.persistent});
    }
    for (const auto& worker : workers) AddPublishers(worker->sender());
    for (const auto& worker : workers) AddSubscribers(worker->receiver());
    WeighGroups();
    for (std::size_t i = 0; i < figures_.size(); ++i) {
      if (rules_[i].qos != 1) figures_[i].doubled_wrongly = figures_[i].duplicated;
    }
  }

  std::vector<LedgerFigures> Take() { return std::move(figures_); }

 private:
  void AddPublishers(const Sender& sender) {
    for (std::size_t i = 0; i < sender.size(); ++i) {
      const Member& member = sender.member(i);
      publishers_[plan_.roster().PublisherId(member)] = &sender.book(i);
      figures_[member.flow].sent += sender.book(i).sent;
      figures_[member.flow].acknowledged += sender.book(i).acknowledged;
    }
  }

  void AddSubscribers(const Receiver& receiver) {
    for (std::size_t i = 0; i < receiver.size(); ++i) {
      if (!receiver.took_part(i)) continue;
      const Member& member = receiver.member(i);
      const SubscriberBook& book = receiver.book(i);
      LedgerFigures& figures = figures_[member.flow];
      figures.duplicated += book.duplicated;
      figures.reordered += book.reordered;
      figures.corrupted += book.corrupted;
      const bool in_group = plan_.roster().FlowOf(member).shared;
      for (std::size_t link = 0; link < book.links.size(); ++link) {
        const std::uint32_t id =
            plan_.roster().FirstPublisher(member.flow) + plan_.roster().PublisherOf(member, link);
        if (!in_group) {
          WeighLink(*publishers_[id], book.links[link].seen, rules_[member.flow], &figures);
          continue;
        }
        auto& [seen, copies] = groups_[{member.flow, id}];
        copies += book.links[link].seen.Count();
        seen.Merge(book.links[link].seen);
      }
    }
  }

  // What two members of a group have is a copy.
  void WeighGroups() {
    for (const auto& [key, group] : groups_) {
      const auto& [seen, copies] = group;
      LedgerFigures& figures = figures_[key.first];
      figures.duplicated += copies - seen.Count();
      WeighLink(*publishers_[key.second], seen, rules_[key.first], &figures);
    }
  }

  const LoadPlan& plan_;
  std::vector<const PublisherBook*> publishers_;  // By id.
  std::vector<LedgerFigures> figures_;            // By flow.
  std::vector<LedgerRules> rules_;
  // By flow and publisher: what the members of a shared group have together, and how many copies.
  std::map<std::pair<std::size_t, std::uint32_t>, std::pair<SequenceSet, std::uint64_t>> groups_;
};

}  // namespace

std::vector<LedgerFigures> AuditDeliveries(const LoadPlan& plan,
                                           std::span<const std::unique_ptr<Worker>> workers) {
  return Audit(plan, workers).Take();
}

}  // namespace atalaya::stress
