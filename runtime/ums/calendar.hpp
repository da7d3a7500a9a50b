/// Days since 1970-01-01 to year, month, day and back: the proleptic Gregorian calendar, for years
/// that std::chrono's 16-bit year does not hold (PostgreSQL goes to 5,874,897). Internal to
/// runtime/ums. Pure.
#pragma once

#include <cstdint>

namespace rtdp::ums::calendar {

constexpr int64_t second_us = 1'000'000;
constexpr int64_t day_us = 86'400 * second_us;

struct date {
  int64_t year;
  uint32_t month;
  uint32_t day;
};

/// A year counted from March, so that the leap day is its last; 400 of them have 146,097 days.
/// 719,468 days lie between 0000-03-01 and 1970-01-01: four such eras and 135,080 days.
constexpr int64_t era_days = 146'097;

constexpr int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/// Takes any int64.
constexpr date from_days(int64_t days) {
  auto era = floor_div(days, era_days);
  auto day_of_era = uint32_t(days - era * era_days) + 135'080;
  era += 4;
  if (day_of_era >= era_days) {
    day_of_era -= uint32_t(era_days);
    ++era;
  }
  auto year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  auto day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  auto month_from_march = (5 * day_of_year + 2) / 153;
  auto day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  auto month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {int64_t(year_of_era) + era * 400 + (month <= 2), month, day};
}

/// REQUIRES: a valid month and day, and |year| <= year_max.
constexpr int64_t year_max = 25'000'000'000'000'000;
constexpr int64_t to_days(int64_t year, uint32_t month, uint32_t day) {
  year -= month <= 2;
  auto era = floor_div(year, 400);
  auto year_of_era = uint32_t(year - era * 400);
  auto day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  auto day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return (era - 4) * era_days + int64_t(day_of_era) - 135'080;
}

constexpr bool is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

constexpr bool is_day(int64_t year, uint32_t month, uint32_t day) {
  constexpr uint8_t lengths[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month - 1 < 12 && day >= 1 &&
         day <= lengths[month] + uint32_t(month == 2 && is_leap(year));
}

} // namespace rtdp::ums::calendar
